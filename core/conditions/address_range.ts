/**
 * Ranges of IP addresses.
 *
 * @module
 */

/** An address as it is written and in order. */
export interface Address {
  readonly text: string;
  /** IPv4 as a number, IPv6 as a bigint; an IPv4 address mapped into IPv6 is the IPv4 address. */
  readonly order: number | bigint;
}

/** An address of a condition. Throws a `RangeError` for what is none. */
export function readAddress(text: string): Address {
  const order = parseAddress(text);
  if (order !== undefined) return { text, order };
  throw new RangeError(
    `An IP address was expected: current value is ${JSON.stringify(text)}`,
  );
}

/**
 * Compiles a range, both ends included, to a test of addresses. Throws a
 * `RangeError` for ends that are not of one family or in the wrong order.
 */
export function matchAddressRange(
  first: Address,
  last: Address,
): (address: string) => boolean {
  const [low, high] = [first.order, last.order];
  if (typeof low !== typeof high) {
    throw new RangeError(
      `The ends of a range must be of one family: current values are ${first.text} and ${last.text}`,
    );
  }
  if (low > high) {
    throw new RangeError(
      `A range must not end before it begins: current values are ${first.text} and ${last.text}`,
    );
  }
  return (text) => {
    const address = parseAddress(text);
    return typeof address === typeof low && address !== undefined &&
      address >= low && address <= high;
  };
}

/** An address in order, as in {@linkcode Address}; undefined for what is none. */
export function parseAddress(text: string): number | bigint | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Decimal parts only; a leading zero is refused, as some read it as octal. */
function parseIpv4(text: string): number | undefined {
  let address = 0;
  let part = -1;
  let parts = 0;
  for (let i = 0; i <= text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      if (part === 0) return undefined;
      part = (part < 0 ? 0 : part) * 10 + digit;
      if (part > 255) return undefined;
    } else if ((i === text.length || text[i] === ".") && part >= 0) {
      address = address * 256 + part;
      part = -1;
      parts++;
    } else {
      return undefined;
    }
  }
  return parts === 4 ? address : undefined;
}

/** RFC 4291 section 2.2; a zone (`%eth0`) says nothing of the address. */
function parseIpv6(text: string): number | bigint | undefined {
  const bare = text.split("%", 1)[0] ?? "";
  const halves = bare.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, i) =>
    parseGroups(half, i === halves.length - 1)
  );
  if (head === undefined) return undefined;
  let groups = head;
  if (halves.length === 2) {
    const missing = 8 - head.length - (tail?.length ?? 0);
    if (tail === undefined || missing < 1) return undefined;
    groups = [...head, ...Array<number>(missing).fill(0), ...tail];
  }
  if (groups.length !== 8) return undefined;
  let address = 0n;
  for (const group of groups) address = address << 16n | BigInt(group);
  return address >> 32n === 0xffffn ? Number(address & 0xffffffffn) : address;
}

/** The 16-bit groups of one side of a `::`; at the very end an IPv4 address may be the last two. */
function parseGroups(text: string, ends: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      groups.push(parseInt(part, 16));
      continue;
    }
    const ipv4 = ends && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (ipv4 === undefined) return undefined;
    groups.push(Math.floor(ipv4 / 65_536), ipv4 % 65_536);
  }
  return groups;
}
