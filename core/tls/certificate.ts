/**
 * What Headrace reads of a certificate (RFC 5280 §4.1).
 *
 * Own code: on Deno 2.4.2 `X509Certificate` tells no alternative names, and on
 * 2.9 it joins them unquoted, so that one name can pose as two.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { canonicalHost } from "../net/host_name.ts";
import {
  BIT_STRING,
  BOOLEAN,
  DerError,
  type DerValue,
  INTEGER,
  objectIdentifier,
  OCTET_STRING,
  readAll,
  readInside,
  SEQUENCE,
  time,
} from "./der.ts";
import { distinguishedName } from "./distinguished_name.ts";

/** One certificate. */
export interface Certificate {
  /** Whom it is for, as RFC 4514 writes it; may be empty. */
  readonly subject: string;
  /** Who signed it, as RFC 4514 writes it. */
  readonly issuer: string;
  /** Its number, in hexadecimal. */
  readonly serialNumber: string;
  /** DNS names that it is for, lower case, `*.domain` among them. */
  readonly dnsNames: readonly string[];
  /** All alternative names with their kind: `DNS:a.example`, `IP:10.0.0.1`, `email:…`, `URI:…`. */
  readonly alternativeNames: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** It may sign others: rustls takes no such one as a server's own. */
  readonly isAuthority: boolean;
  /** SHA-256 of the whole, lower-case hexadecimal. */
  readonly fingerprint: string;
  /** The bits of the public key, without its algorithm. */
  readonly publicKey: Uint8Array;
}

const ALTERNATIVE_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";

// Context-specific tags of a TBSCertificate.
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

/** Reads a certificate's DER. Throws a {@linkcode DerError}. */
export function parseCertificate(der: Uint8Array): Certificate {
  const [outer] = readAll(der);
  const [signed] = readInside(outer, SEQUENCE);
  const fields = readInside(signed, SEQUENCE);
  if (fields[0]?.tag === VERSION) fields.shift();
  const [serial, , issuer, validity, subject, key, ...rest] = fields;
  if (serial?.tag !== INTEGER) throw new DerError("Expected a serial number");
  const [notBefore, notAfter] = readInside(validity, SEQUENCE);
  const extensions = extensionsOf(rest.find(({ tag }) => tag === EXTENSIONS));
  const names = alternativeNames(extensions.get(ALTERNATIVE_NAME));
  return {
    subject: distinguishedName(subject),
    issuer: distinguishedName(issuer),
    serialNumber: hex(serial.bytes),
    alternativeNames: names,
    dnsNames: names.flatMap((name) =>
      name.startsWith("DNS:") ? [name.slice(4).toLowerCase()] : []
    ),
    notBefore: time(notBefore),
    notAfter: time(notAfter),
    isAuthority: isAuthority(extensions.get(BASIC_CONSTRAINTS)),
    fingerprint: createHash("sha256").update(outer!.whole).digest("hex"),
    publicKey: publicKeyBits(key),
  };
}

/** The bits of a SubjectPublicKeyInfo. Throws a {@linkcode DerError}. */
export function publicKeyBits(info: DerValue | undefined): Uint8Array {
  const [, bits] = readInside(info, SEQUENCE);
  if (bits?.tag !== BIT_STRING) throw new DerError("Expected a public key");
  return bits.bytes;
}

/** Contents of the extensions by object identifier. */
function extensionsOf(value: DerValue | undefined): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  if (value === undefined) return found;
  const [list] = readAll(value.bytes);
  for (const extension of readInside(list, SEQUENCE)) {
    const parts = readInside(extension, SEQUENCE);
    const contents = parts.at(-1);
    if (contents?.tag !== OCTET_STRING) {
      throw new DerError("Expected an extension");
    }
    found.set(objectIdentifier(parts[0]), contents.bytes);
  }
  return found;
}

function isAuthority(contents: Uint8Array | undefined): boolean {
  if (contents === undefined) return false;
  const [first] = readInside(readAll(contents)[0], SEQUENCE);
  return first?.tag === BOOLEAN && first.bytes[0] !== 0;
}

// GeneralName's choices (RFC 5280 §4.2.1.6) that are told.
const EMAIL = 0x81;
const DNS = 0x82;
const URI = 0x86;
const IP = 0x87;

function alternativeNames(contents: Uint8Array | undefined): string[] {
  if (contents === undefined) return [];
  return readInside(readAll(contents)[0], SEQUENCE).flatMap(({ tag, bytes }) =>
    tag === DNS
      ? `DNS:${visible(bytes)}`
      : tag === IP
      ? `IP:${ipText(bytes)}`
      : tag === EMAIL
      ? `email:${visible(bytes)}`
      : tag === URI
      ? `URI:${visible(bytes)}`
      : []
  );
}

/** A name is ASCII without separators: the rest is escaped, so that no name poses as two in a list. */
function visible(bytes: Uint8Array): string {
  return Array.from(
    bytes,
    (byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x2c && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from(
    { length: bytes.length >> 1 },
    (_, i) => (bytes[2 * i]! << 8 | bytes[2 * i + 1]!).toString(16),
  );
  return canonicalHost(groups.join(":"));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
