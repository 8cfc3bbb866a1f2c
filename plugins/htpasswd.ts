/**
 * The password file that Apache's `htpasswd` writes, and its hashes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import bcrypt from "bcryptjs";

/** Whether a password is the one that was hashed. */
export type PasswordCheck = (password: string) => boolean | Promise<boolean>;

/** A user's hash and how it is checked. */
export interface PasswordHash {
  /** As it stands in the file. */
  readonly text: string;
  readonly check: PasswordCheck;
  /** Whether checking takes long enough to be done one at a time. */
  readonly slow: boolean;
}

/** Hashes by user, from lines `user:hash`; `#` begins a comment. Throws a `SyntaxError` with the line's number. */
export function parseHtpasswd(text: string): Map<string, PasswordHash> {
  const users = new Map<string, PasswordHash>();
  text.split("\n").forEach((line, i) => {
    const entry = line.trim();
    if (entry === "" || entry.startsWith("#")) return;
    const colon = entry.indexOf(":");
    const [user, hash] = [entry.slice(0, colon), entry.slice(colon + 1)];
    if (colon < 1) {
      throw new SyntaxError(`line ${i + 1}: Expected user:hash`);
    }
    if (users.has(user)) {
      throw new SyntaxError(
        `line ${i + 1}: The user ${JSON.stringify(user)} is there already`,
      );
    }
    const parsed = parseHash(hash);
    if (parsed === undefined) {
      throw new SyntaxError(
        `line ${
          i + 1
        }: Expected a hash of bcrypt ($2y$), MD5 ($apr1$) or {SHA} as htpasswd -B, -m or -s writes it`,
      );
    }
    users.set(user, parsed);
  });
  return users;
}

/** Undefined for a kind that is not supported: DES and plain text are none. */
export function parseHash(text: string): PasswordHash | undefined {
  const bcrypted = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text);
  if (bcrypted !== null) {
    const cost = Number(bcrypted[1]);
    if (cost < 4 || cost > 31) return undefined;
    return { text, slow: true, check: (password) => isBcrypt(password, text) };
  }
  const [, salt, rest] = /^\$apr1\$([^$]{1,8})\$([./0-9A-Za-z]{22})$/
    .exec(text) ?? [];
  if (salt !== undefined && rest !== undefined) {
    return {
      text,
      slow: true,
      check: (password) => sameText(apr1(password, salt), rest),
    };
  }
  const [, sha] = /^\{SHA\}([A-Za-z0-9+/]{27}=)$/.exec(text) ?? [];
  if (sha !== undefined) {
    return {
      text,
      slow: false,
      check: (password) =>
        sameText(createHash("sha1").update(password).digest("base64"), sha),
    };
  }
  return undefined;
}

/** bcrypt looks at 72 bytes: a longer password would be as good as its begin. */
function isBcrypt(password: string, hash: string): boolean | Promise<boolean> {
  return bcrypt.truncates(password) ? false : bcrypt.compare(password, hash);
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

const CRYPT64 =
  "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Which bytes of the digest make up each group of characters. */
const APR1_ORDER = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
] as const;

/**
 * Apache's MD5 of a password: 1000 rounds, as in its apr_md5.c.
 * https://httpd.apache.org/docs/2.4/misc/password_encryptions.html
 */
export function apr1(password: string, salt: string): string {
  const secret = Buffer.from(password);
  const salted = Buffer.from(salt);
  let digest = md5(secret, salted, secret);
  const mixed: Buffer[] = [secret, Buffer.from("$apr1$"), salted];
  for (let left = secret.length; left > 0; left -= 16) {
    mixed.push(digest.subarray(0, Math.min(16, left)));
  }
  const [zero, first] = [Buffer.alloc(1), secret.subarray(0, 1)];
  for (let bits = secret.length; bits > 0; bits >>= 1) {
    mixed.push(bits & 1 ? zero : first);
  }
  digest = md5(...mixed);
  for (let round = 0; round < 1_000; round++) {
    digest = md5(
      ...round & 1 ? [secret] : [digest],
      ...round % 3 === 0 ? [] : [salted],
      ...round % 7 === 0 ? [] : [secret],
      ...round & 1 ? [digest] : [secret],
    );
  }
  const groups = APR1_ORDER.map(([high, middle, low]) =>
    crypt64(
      digest[high]! << 16 | digest[middle]! << 8 | digest[low]!,
      4,
    )
  );
  return groups.join("") + crypt64(digest[11]!, 2);
}

function md5(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The low bits first. */
function crypt64(value: number, characters: number): string {
  let text = "";
  for (let i = 0; i < characters; i++) text += CRYPT64[value >> 6 * i & 63];
  return text;
}
