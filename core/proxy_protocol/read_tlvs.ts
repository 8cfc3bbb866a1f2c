/**
 * What a PROXY header of version 2 tells beside addresses: types, lengths and
 * values (§2.2.1 to §2.2.8).
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { ProxiedTls, ProxyTlv } from "../plugin.ts";
import { crc32c } from "./crc32c.ts";
import type { ProxyHeader } from "./header.ts";

/** What TLVs tell. */
export type TlvFacts = Pick<
  ProxyHeader,
  "authority" | "alpn" | "uniqueId" | "tls" | "tlvs"
>;

/** Facts of a header that has none. */
export const SILENT_TLVS: TlvFacts = Object.freeze({
  authority: undefined,
  alpn: undefined,
  uniqueId: undefined,
  tls: undefined,
  tlvs: [],
});

const ALPN = 0x01;
const AUTHORITY = 0x02;
const CRC32C = 0x03;
const UNIQUE_ID = 0x05;
const TLS = 0x20;
const TLS_VERSION = 0x21;
const TLS_COMMON_NAME = 0x22;
const TLS_CIPHER = 0x23;
const NETWORK_NAMESPACE = 0x30;

/** Types that say one thing: twice, one would be believed here and the other behind. */
const ONCE: ReadonlySet<number> = new Set([
  ...[ALPN, AUTHORITY, CRC32C, UNIQUE_ID, TLS, NETWORK_NAMESPACE],
]);

/** ALPN's own bound (RFC 7301 §3.1), and what HAProxy bounds an authority to. */
const MAX_TEXT_BYTES = 255;

const MAX_UNIQUE_ID_BYTES = 128;

/** Client flags and the verification's result before the TLVs within. */
const TLS_FIXED_BYTES = 5;

/** Flags of {@linkcode TLS}: the client came over TLS; with a certificate, now or when its session began. */
const CLIENT_TLS = 0x01;
const CLIENT_CERTIFICATE = 0x02 | 0x04;

/** The TLVs from `at` to the header's end. Throws `proxy_header_invalid`. */
export function readTlvs(header: Uint8Array, at: number): TlvFacts {
  if (at === header.length) return SILENT_TLVS;
  const found = splitTlvs(header, at, ONCE);
  const checksum = found.get(CRC32C);
  if (checksum !== undefined) verifyChecksum(header, checksum);
  const uniqueId = found.get(UNIQUE_ID);
  if (uniqueId !== undefined && uniqueId.length > MAX_UNIQUE_ID_BYTES) {
    throw invalid(`its unique id is longer than ${MAX_UNIQUE_ID_BYTES} bytes`);
  }
  const tls = found.get(TLS);
  return {
    authority: textOf(found.get(AUTHORITY), "authority"),
    alpn: textOf(found.get(ALPN), "ALPN"),
    uniqueId: uniqueId?.slice(),
    tls: tls && readTls(tls),
    // Copies: the bytes lie in a buffer that others get.
    tlvs: found.all.map(({ type, value }) => ({ type, value: value.slice() })),
  };
}

/** TLVs in their order. */
class Tlvs {
  readonly all: ProxyTlv[] = [];

  /** The first one's value. */
  get(type: number): Uint8Array | undefined {
    return this.all.find((tlv) => tlv.type === type)?.value;
  }
}

/** TLVs that end exactly where `bytes` does; those of `once` come at most once. */
function splitTlvs(
  bytes: Uint8Array,
  start: number,
  once: ReadonlySet<number>,
): Tlvs {
  const found = new Tlvs();
  for (let at = start; at < bytes.length;) {
    if (at + 3 > bytes.length) throw invalid("a TLV is cut off");
    const type = bytes[at]!;
    const length = bytes[at + 1]! << 8 | bytes[at + 2]!;
    const end = at + 3 + length;
    if (end > bytes.length) {
      throw invalid(`the TLV of type ${type} overruns its end`);
    }
    if (once.has(type) && found.get(type) !== undefined) {
      throw invalid(`the TLV of type ${type} comes twice`);
    }
    found.all.push({ type, value: bytes.subarray(at + 3, end) });
    at = end;
  }
  return found;
}

/** The checksum of the whole header, its own bytes taken as zeros (§2.2.3). */
function verifyChecksum(header: Uint8Array, field: Uint8Array): void {
  if (field.length !== 4) throw invalid("its checksum is not of four bytes");
  const at = field.byteOffset - header.byteOffset;
  const said = new DataView(header.buffer, field.byteOffset, 4).getUint32(0);
  const zeroed = header.slice();
  zeroed.fill(0, at, at + 4);
  if (crc32c(zeroed) !== said) throw invalid("its checksum is wrong");
}

function readTls(value: Uint8Array): ProxiedTls | undefined {
  if (value.length < TLS_FIXED_BYTES) {
    throw invalid("its TLS facts are cut off");
  }
  const found = splitTlvs(value, TLS_FIXED_BYTES, TLS_ONCE);
  const flags = value[0]!;
  const facts = {
    version: textOf(found.get(TLS_VERSION), "TLS version"),
    cipher: textOf(found.get(TLS_CIPHER), "cipher"),
    commonName: textOf(found.get(TLS_COMMON_NAME), "common name"),
    // The result is 0 for a certificate that was verified.
    verified: (flags & CLIENT_CERTIFICATE) !== 0 &&
      value.subarray(1, TLS_FIXED_BYTES).every((byte) => byte === 0),
  };
  return (flags & CLIENT_TLS) === 0 ? undefined : facts;
}

const TLS_ONCE: ReadonlySet<number> = new Set([
  ...[TLS_VERSION, TLS_COMMON_NAME, TLS_CIPHER],
]);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A value as text; undefined where it is left out or empty. */
function textOf(
  value: Uint8Array | undefined,
  what: string,
): string | undefined {
  if (value === undefined || value.length === 0) return undefined;
  if (value.length > MAX_TEXT_BYTES) {
    throw invalid(`its ${what} is longer than ${MAX_TEXT_BYTES} bytes`);
  }
  // Nothing that could end a line of a log or a field of a head.
  if (value.some((byte) => byte < 0x20 || byte === 0x7f)) {
    throw invalid(`its ${what} has control characters`);
  }
  try {
    return utf8.decode(value);
  } catch (cause) {
    throw invalid(`its ${what} is no text`, cause);
  }
}

function invalid(reason: string, cause?: unknown): ProxyError {
  return new ProxyError(
    "proxy_header_invalid",
    `The PROXY header of version 2 is invalid: ${reason}`,
    cause === undefined ? undefined : { cause },
  );
}
