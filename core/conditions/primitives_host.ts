/**
 * Primitives on the host that a request asks for and on its port.
 *
 * @module
 */
import { nearest } from "../text/suggest.ts";
import { type Dimension, keysOf } from "./index_key.ts";
import { list, parseHost, parseNumber, parts, regexp } from "./parameter.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";
import { matchIn, matchSuffix, type TextTest } from "./text_match.ts";

const HOST: Dimension = {
  name: "host",
  dear: false,
  read: (request) => request.host,
};

/** Those on host and port. */
export function hostPrimitives(): readonly Primitive[] {
  return [
    definePrimitive({
      name: "req_host_in",
      parameters: [list("hosts", parseHost)],
      description: "the host is one of these, whatever its case",
      make: ([hosts]) => {
        const test = matchIn(hosts, false);
        return (request) => test(request.host);
      },
      keys: ([hosts]) => keysOf(HOST, "whole", hosts, false),
    }),
    definePrimitive({
      name: "req_host_suffix_in",
      parameters: [parts("ends", parseHost)],
      description: "the host ends with one of these, whatever its case",
      make: ([ends]) => {
        const test = matchSuffix(ends, false);
        return (request) => test(request.host);
      },
      keys: ([ends]) => keysOf(HOST, "suffix", ends, false),
    }),
    definePrimitive({
      name: "req_host_regmatch",
      // A request's host comes in lower case (RFC 3986 section 3.2.2): a
      // pattern with capitals would never match.
      parameters: [regexp({ ignoreCase: true })],
      description: "the host matches the pattern, whatever its case",
      make: ([pattern]) => (request) => pattern.test(request.host),
    }),
    definePrimitive({
      name: "req_host_tag_in",
      parameters: [list("entries", parseHostEntry)],
      description:
        "the host was found by one of these entries of its product's `hosts`, which stand for BFE's tags",
      make: ([entries], { hosts }) => {
        const test = matchEntries(entries, hosts);
        return (request) => test(request.host);
      },
    }),
    definePrimitive({
      name: "req_port_in",
      parameters: [
        list("ports", (text) => parseNumber("A port", text, 0, 65_535)),
      ],
      description:
        "the Host field's port is one of these; without one it is 443 for https, else 80",
      make: ([list]) => {
        const ports = new Set(list);
        return (request) =>
          ports.has(request.port ?? (request.scheme === "https" ? 443 : 80));
      },
    }),
  ];
}

/** An entry of `hosts` in the config's one spelling: an address keeps its brackets there. */
function parseHostEntry(text: string): string {
  if (text.startsWith("*.")) return `*.${parseHost(text.slice(2))}`;
  const host = parseHost(text);
  return host.includes(":") ? `[${host}]` : host;
}

/** Whether a host belongs to one of `entries` and to no closer one of `hosts`. */
function matchEntries(
  entries: readonly string[],
  hosts: readonly string[] | undefined,
): TextTest {
  if (hosts === undefined) {
    throw new RangeError("only a product's rules know entries of `hosts`");
  }
  for (const entry of entries) {
    if (hosts.includes(entry)) continue;
    const meant = nearest(entry, hosts);
    throw new RangeError(
      `An entry must be one of the product's hosts: current value is ${
        JSON.stringify(entry)
      }` +
        (meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}?`),
    );
  }
  const exact = new Map<string, boolean>();
  const wildcards = new Map<string, boolean>();
  for (const host of hosts) {
    const chosen = entries.includes(host);
    if (host.startsWith("*")) wildcards.set(host.slice(1), chosen);
    else exact.set(host.replace(/^\[(.*)\]$/, "$1"), chosen);
  }
  return (host) => {
    const chosen = exact.get(host);
    if (chosen !== undefined) return chosen;
    // The longest wildcard first, as the product was found.
    for (let dot = host.indexOf(".", 1); dot >= 0;) {
      const chosen = wildcards.get(host.slice(dot));
      if (chosen !== undefined) return chosen;
      dot = host.indexOf(".", dot + 1);
    }
    return false;
  };
}
