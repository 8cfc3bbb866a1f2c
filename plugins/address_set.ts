/**
 * Sets of IP addresses and ranges that are asked often: sorted ranges, found by
 * halving, so that a list of a million costs 20 comparisons.
 *
 * @module
 */

/** A parsed address: IPv4 as a number, IPv6 as a bigint. */
type Address = number | bigint;

/** Addresses and ranges. */
export class AddressSet {
  readonly #v4: Ranges<number>;
  readonly #v6: Ranges<bigint>;

  /** From `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`. Throws a `SyntaxError` for what is none. */
  constructor(texts: Iterable<string>) {
    const v4: [number, number][] = [];
    const v6: [bigint, bigint][] = [];
    for (const text of texts) addRange(text, v4, v6);
    this.#v4 = merged(v4);
    this.#v6 = merged(v6);
  }

  /** Ranges that are left once those that touch are one. */
  get size(): number {
    return this.#v4.starts.length + this.#v6.starts.length;
  }

  /** Whether the address lies in it; false for what is no address. */
  has(text: string): boolean {
    const address = parseAddress(text);
    if (address === undefined) return false;
    return typeof address === "number"
      ? isIn(this.#v4, address)
      : isIn(this.#v6, address);
  }
}

/** One address or range a line; `#` and `;` begin a comment. Throws a `SyntaxError` with the line's number. */
export function parseAddressLines(text: string): string[] {
  const found: string[] = [];
  const v4: [number, number][] = [];
  const v6: [bigint, bigint][] = [];
  text.split("\n").forEach((line, i) => {
    const entry = line.replace(/[#;].*/, "").trim();
    if (entry === "") return;
    try {
      addRange(entry, v4, v6);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new SyntaxError(`line ${i + 1}: ${error.message}`);
    }
    found.push(entry);
  });
  return found;
}

/** An IPv4 address as it is, of an IPv6 address its first 64 bits: whoever has one of these has them all. */
export function networkOf(address: string): string {
  const parsed = parseAddress(address);
  if (typeof parsed !== "bigint") return address;
  return `${(parsed >> 64n).toString(16)}::/64`;
}

interface Ranges<T extends Address> {
  readonly starts: readonly T[];
  readonly ends: readonly T[];
}

function isIn<T extends Address>(
  { starts, ends }: Ranges<T>,
  address: T,
): boolean {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  return low > 0 && ends[low - 1]! >= address;
}

function merged<T extends Address>(ranges: [T, T][]): Ranges<T> {
  ranges.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  const starts: T[] = [];
  const ends: T[] = [];
  for (const [start, end] of ranges) {
    const last = ends.length - 1;
    if (last >= 0 && start <= ends[last]!) {
      if (end > ends[last]!) ends[last] = end;
      continue;
    }
    starts.push(start);
    ends.push(end);
  }
  return { starts, ends };
}

function addRange(
  text: string,
  v4: [number, number][],
  v6: [bigint, bigint][],
): void {
  const [, address = "", length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const parsed = parseAddress(address);
  const mapped = typeof parsed === "number" && address.includes(":");
  const whole = typeof parsed === "number" && !mapped ? 32 : 128;
  const bits = length === undefined ? whole : Number(length);
  if (parsed === undefined || bits > whole || (mapped && bits < 96)) {
    throw new SyntaxError(
      `Expected an IP address or range such as 10.0.0.0/8: found ${
        JSON.stringify(text)
      }`,
    );
  }
  if (typeof parsed === "number") {
    const size = 2 ** (whole - bits);
    const start = Math.floor(parsed / size) * size;
    v4.push([start, start + size - 1]);
  } else {
    const size = 1n << BigInt(whole - bits);
    const start = parsed / size * size;
    v6.push([start, start + size - 1n]);
  }
}

/** Undefined for what is no address. An IPv4 address in IPv6's clothes is one of IPv4. */
function parseAddress(text: string): Address | undefined {
  return text.includes(":")
    ? parseV6(text.replace(/%[^%/]*$/, ""))
    : parseV4(text);
}

function parseV4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    // 010 is 8 to some and 10 to others (RFC 6943 §3.1.1).
    if (part.length > 1 && part.startsWith("0")) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    address = address * 256 + byte;
  }
  return address;
}

function parseV6(text: string): Address | undefined {
  let rest = text;
  const tail: number[] = [];
  const dotted = /^(.*:)([\d.]+)$/.exec(rest);
  if (dotted !== null && dotted[2]!.includes(".")) {
    const v4 = parseV4(dotted[2]!);
    if (v4 === undefined) return undefined;
    tail.push(Math.floor(v4 / 65_536), v4 % 65_536);
    rest = dotted[1]!.endsWith("::") ? dotted[1]! : dotted[1]!.slice(0, -1);
  }
  const halves = rest.split("::");
  if (halves.length > 2) return undefined;
  const [head, behind] = halves.map(groupsOf);
  if (head === undefined) return undefined;
  if (halves.length === 2 && behind === undefined) return undefined;
  const last = [...behind ?? [], ...tail];
  const missing = 8 - head.length - last.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array(missing).fill(0), ...last];
  if (
    groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  ) {
    return groups[6]! * 65_536 + groups[7]!;
  }
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  return groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))
    ? groups.map((group) => parseInt(group, 16))
    : undefined;
}
