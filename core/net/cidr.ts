/**
 * Sets of IP networks: whose PROXY header and X-Forwarded-* are believed.
 *
 * @module
 */
import { BlockList, isIP } from "node:net";

/** One network. */
export interface Cidr {
  /** The address before the slash, an IPv4 one where it was mapped into IPv6. */
  readonly address: string;
  /** Leading bits that count: 0 to 32, or 128. */
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/**
 * Parses `10.0.0.0/8`, `fd00::/8` or one address. Throws a `SyntaxError` that
 * says what was expected, without the text.
 */
export function parseCidr(text: string): Cidr {
  const [, written = text, bits] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(written);
  if (version === 0 || written.includes("%")) {
    throw new SyntaxError(
      "Expected an IP address or a network, such as 10.0.0.0/8 or fd00::/8",
    );
  }
  const longest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? longest : Number(bits);
  if (prefix > longest) {
    throw new SyntaxError(
      `Expected a network of at most /${longest} for IPv${version}`,
    );
  }
  const mapped = version === 6 ? mappedIPv4(written) : undefined;
  if (mapped !== undefined && prefix >= 96) {
    return { address: mapped, prefix: prefix - 96, family: "ipv4" };
  }
  return {
    address: written,
    prefix,
    family: version === 4 ? "ipv4" : "ipv6",
  };
}

/** A set of networks to look addresses up in. */
export class CidrSet {
  readonly #list = new BlockList();
  /** How many networks it was made of. */
  readonly size: number;

  /** Throws a `SyntaxError` for a network that does not parse. */
  constructor(networks: readonly string[]) {
    this.size = networks.length;
    for (const network of networks) {
      const { address, prefix, family } = parseCidr(network);
      this.#list.addSubnet(address, prefix, family);
    }
  }

  /**
   * Whether the IP address is in one of the networks. An IPv4 address mapped
   * into IPv6 (as dual-stack sockets tell it) counts as IPv4, a zone
   * (`fe80::1%eth0`) is left aside; whatever is no IP address is in none.
   */
  has(address: string): boolean {
    if (this.size === 0) return false;
    const zone = address.indexOf("%");
    const bare = zone < 0 ? address : address.slice(0, zone);
    const version = isIP(bare);
    if (version === 0) return false;
    if (version === 4) return this.#list.check(bare, "ipv4");
    const mapped = mappedIPv4(bare);
    return mapped === undefined
      ? this.#list.check(bare, "ipv6")
      : this.#list.check(mapped, "ipv4");
  }
}

/** The IPv4 address inside `::ffff:1.2.3.4` (RFC 4291 §2.5.5.2), in any spelling. */
function mappedIPv4(address: string): string | undefined {
  // The URL parser writes an IPv6 address in its one shortest form.
  const { hostname } = new URL(`http://[${address}]`);
  const match = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname);
  if (match === null) return undefined;
  const high = parseInt(match[1] ?? "", 16);
  const low = parseInt(match[2] ?? "", 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
