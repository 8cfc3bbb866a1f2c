/**
 * The hosts that a product serves: exact names and `*.domain`.
 *
 * @module
 */
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { isHost } from "../net/address.ts";
import { ValueError } from "./value_error.ts";

/**
 * The normal form of `shop.example.com`, `*.example.com`, an IPv4 address or
 * `[IPv6]`: lower case, international names as punycode, no dot at the end.
 * Throws a `ValueError` that does not repeat the text.
 */
export function parseHostPattern(text: string): string {
  if (text === "*") {
    throw new ValueError(
      "Expected a host name or *.domain; for any host write default: true",
    );
  }
  const wildcard = text.startsWith("*.");
  const name = wildcard ? text.slice(2) : text;
  if (!wildcard && name.startsWith("[") && name.endsWith("]")) {
    if (isIP(name.slice(1, -1)) === 6) {
      return new URL(`http://${name}`).hostname;
    }
  }
  const ascii = /^[^\s/:@?#[\]*%]+$/.test(name)
    ? domainToASCII(name).toLowerCase().replace(/\.$/, "")
    : "";
  if (!isHost(ascii) || (wildcard && isIP(ascii) !== 0)) {
    throw new ValueError(
      "Expected a host name such as shop.example.com or *.example.com",
      nearHost(text),
    );
  }
  return wildcard ? `*.${ascii}` : ascii;
}

/** What is left of a URL, a port or a leading dot, where that is a host. */
function nearHost(text: string): string | undefined {
  const [, bare = ""] = /^(?:https?:\/\/)?([^/:]*)(?::\d+)?(?:\/.*)?$/
    .exec(text) ?? [];
  if (bare.startsWith(".") && isHost(bare.slice(1))) return `*${bare}`;
  return bare !== text && isHost(bare.replace(/^\*\./, "")) ? bare : undefined;
}
