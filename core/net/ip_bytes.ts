/**
 * IP addresses between their text and their bytes.
 *
 * @module
 */

/**
 * The bytes of an IP address: 4 or 16, undefined for anything else. Strict: no
 * leading zeros in IPv4, every IPv6 form of RFC 4291 §2.2, no zone.
 */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIPv6(text) : parseIPv4(text);
}

/** The text of the 4 or 16 bytes of an IP address, IPv6 in its canonical form (RFC 5952). */
export function formatIp(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join(".") : formatIPv6(bytes);
}

/** The 4 bytes inside an IPv4 address that is mapped into IPv6 (RFC 4291 §2.5.5.2); any other address as it is. */
export function unmapIp(bytes: Uint8Array): Uint8Array {
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** The 16 bytes of `::ffff:1.2.3.4`; an IPv6 address as it is. */
export function mapIp(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes;
  const mapped = new Uint8Array(16);
  mapped.fill(0xff, 10, 12);
  mapped.set(bytes, 12);
  return mapped;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 &&
    bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 0xff && bytes[11] === 0xff;
}

const OCTET = /^(?:0|[1-9]\d{0,2})$/;

function parseIPv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!OCTET.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const last = halves.length - 1;
  const runs = halves.map((half, i) => parseRun(half, i === last));
  const [head, tail] = runs;
  if (head === undefined || last === 1 && tail === undefined) return undefined;
  const length = head.length + (tail?.length ?? 0);
  // `::` stands for one group of zeros at least.
  if (last === 0 ? length !== 16 : length > 14) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  if (tail !== undefined) bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Groups between colons; where the address ends, the last may be an IPv4 address. */
function parseRun(text: string, mayEndInIPv4: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    if (/^[\da-f]{1,4}$/i.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const end = mayEndInIPv4 && i === groups.length - 1;
    const embedded = end ? parseIPv4(group) : undefined;
    if (embedded === undefined) return undefined;
    bytes.push(...embedded);
  }
  return bytes;
}

function formatIPv6(bytes: Uint8Array): string {
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from(
    { length: 8 },
    (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!,
  );
  const { start, length } = longestZeros(groups);
  const text = (from: number, to: number) =>
    groups.slice(from, to).map((group) => group.toString(16)).join(":");
  return length < 2
    ? text(0, 8)
    : `${text(0, start)}::${text(start + length, 8)}`;
}

/** The first of the longest runs of zeros. */
function longestZeros(
  groups: readonly number[],
): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [i, group] of groups.entries()) {
    if (group !== 0) start = i + 1;
    else if (i + 1 - start > best.length) {
      best = { start, length: i + 1 - start };
    }
  }
  return best;
}
