/**
 * PROXY headers of version 2 in parts, broken ones too: what the core's writer
 * never writes.
 *
 * @module
 */
import { crc32c } from "../../core/proxy_protocol/crc32c.ts";
import { latin1Bytes } from "./latin1.ts";

/** The twelve bytes that it begins with. */
export const SIGNATURE = latin1Bytes("\r\n\r\n\0\r\nQUIT\n");

/** From 1.2.3.4:1111 to 5.6.7.8:80. */
export const IPV4_ENDS: readonly number[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 0x04, 0x57, 0, 80],
];

/** From [2001:db8::1]:1111 to [2001:db8::2]:80. */
export const IPV6_ENDS: readonly number[] = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  ...[0x04, 0x57, 0, 80],
];

/** Parts of a header; by default one over TCP with {@linkcode IPV4_ENDS}. */
export interface V2Parts {
  readonly versionAndCommand?: number;
  readonly familyAndTransport?: number;
  /** Addresses. */
  readonly ends?: readonly number[];
  /** TLVs in their bytes. */
  readonly tlvs?: readonly (readonly number[])[];
  /** What the header says of its length; by default what is true. */
  readonly length?: number;
}

/** The header's bytes. */
export function v2Header(parts: V2Parts = {}): Uint8Array {
  const block = [...parts.ends ?? IPV4_ENDS, ...(parts.tlvs ?? []).flat()];
  const length = parts.length ?? block.length;
  return Uint8Array.of(
    ...SIGNATURE,
    parts.versionAndCommand ?? 0x21,
    parts.familyAndTransport ?? 0x11,
    length >> 8,
    length & 0xff,
    ...block,
  );
}

/** One TLV's bytes; a text is UTF-8. */
export function tlv(type: number, value: string | readonly number[]): number[] {
  const bytes = typeof value === "string"
    ? [...new TextEncoder().encode(value)]
    : value;
  return [type, bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

/** The header with a true checksum among its TLVs, and its place in front of `tlvs`. */
export function v2HeaderWithChecksum(
  tlvs: readonly (readonly number[])[] = [],
): Uint8Array {
  const bytes = v2Header({ tlvs: [tlv(3, [0, 0, 0, 0]), ...tlvs] });
  new DataView(bytes.buffer).setUint32(
    16 + IPV4_ENDS.length + 3,
    crc32c(bytes),
  );
  return bytes;
}
