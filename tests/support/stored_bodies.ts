/**
 * Bodies whose bytes tell what they are of, and what writes and reads them in
 * stores.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type {
  CacheStore,
  StoredEntry,
  StoredHead,
} from "../../core/cache/store.ts";
import type { BodyReader } from "../../core/message/body.ts";
import { headOf } from "../core/cache/heads.ts";

const made = new Map<string, Uint8Array>();

/** Bytes of a seed: no two seeds' look alike. */
export function bodyOf(seed: number, length: number): Uint8Array {
  const name = `${seed} ${length}`;
  const known = made.get(name);
  if (known !== undefined) return known;
  if (made.size > 50) made.clear();
  const body = new Uint8Array(length);
  let state = Math.imul(seed, 2_654_435_761) | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    body[i] = state >>> 24;
  }
  made.set(name, body);
  return body;
}

/** All that a reader brings. */
export async function readAll(body: BodyReader): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (!body.last) {
    if (!body.advance() && !await body.next()) continue;
    parts.push(body.bytes.slice(body.start, body.end));
    length += body.end - body.start;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A head that says which body it is of. */
export function seededHead(
  seed: number,
  length: number,
  parts: Partial<StoredHead> = {},
): StoredHead {
  return headOf([["x-seed", `${seed}`]], { length, ...parts });
}

/** Stores the body of a seed, in pieces; the entry, undefined where the store does not have it. */
export async function putBody(
  store: CacheStore,
  key: string,
  seed: number,
  length: number,
  parts: Partial<StoredHead> = {},
  replaced: readonly StoredEntry[] = [],
): Promise<StoredEntry | undefined> {
  const head = seededHead(seed, length, parts);
  const writer = store.begin(key, head, length);
  if (writer === undefined) return undefined;
  const body = bodyOf(seed, length);
  for (let at = 0; at < length; at += 100_000) {
    if (!await writer.append(body.subarray(at, at + 100_000))) {
      writer.abort();
      return undefined;
    }
  }
  const entry = await writer.commit(head, replaced);
  writer.abort();
  return entry;
}

/** The seed that an entry says to be of. */
export function seedOf({ head }: StoredEntry): number {
  return Number(head.fields.find(([name]) => name === "x-seed")?.[1]);
}

/** Whether its bytes are those of its seed. */
export async function isWhole(entry: StoredEntry): Promise<boolean> {
  const body = await readAll(entry.open(0, entry.size));
  const expected = bodyOf(seedOf(entry), entry.head.length!);
  return sameBytes(body, expected);
}

/** Whether both are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
