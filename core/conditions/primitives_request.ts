/**
 * Primitives on the request line, the host, and whom the request comes from.
 *
 * @module
 */
import { canonicalHost } from "../net/host_name.ts";
import { matchAddressRange } from "./address_range.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";
import { decodedPath } from "./request_reading.ts";
import { compileSafe } from "./safe_regexp.ts";
import {
  matchContain,
  matchElementPrefix,
  matchIn,
  matchPrefix,
  matchSuffix,
  type TextMatch,
} from "./text_match.ts";

/** The primitives that are always true, and those on host, port, method, protocol, client and tags. */
export function requestPrimitives(): readonly Primitive[] {
  return [
    definePrimitive("default_t", [], "always", () => () => true),
    ...hostPrimitives(),
    definePrimitive(
      "req_port_in",
      ["list"],
      "the Host field's port is one of these; without one 443 for https, else 80",
      (list) => {
        const ports = new Set(list.map(parsePort));
        return (request) =>
          ports.has(request.port ?? (request.scheme === "https" ? 443 : 80));
      },
    ),
    definePrimitive(
      "req_method_in",
      ["list"],
      "the method is one of these, whatever its case",
      (list) => {
        const test = matchIn(list.map((method) => method.toUpperCase()), false);
        return ({ method }) => test(method) || test(method.toUpperCase());
      },
    ),
    definePrimitive(
      "req_proto_secure",
      [],
      "the client speaks TLS, to this proxy or to a trusted one before it",
      () => (request) => request.scheme === "https",
    ),
    definePrimitive(
      "req_cip_trusted",
      [],
      "the connection comes from one of the listener's trusted addresses",
      () => (request) => request.trusted,
    ),
    definePrimitive(
      "req_cip_range",
      ["string", "string"],
      "the client's address lies from the first to the second",
      (first, last) => {
        const test = matchAddressRange(first, last);
        return (request) => test(request.clientAddress);
      },
    ),
    definePrimitive(
      "req_tag_match",
      ["string", "string"],
      "the request has this tag with this value",
      (name, value) => {
        // As in BFE a tag's value may carry more behind a colon.
        const prefix = `${value}:`;
        return (request) => {
          const tags = request.tags.get(name);
          if (tags === undefined) return false;
          for (const tag of tags) {
            if (tag === value || tag.startsWith(prefix)) return true;
          }
          return false;
        };
      },
    ),
  ];
}

function hostPrimitives(): readonly Primitive[] {
  return [
    definePrimitive(
      "req_host_in",
      ["list"],
      "the host is one of these",
      (list) => {
        const test = matchIn(list.map(normalizeHost), false);
        return (request) => test(request.host);
      },
    ),
    definePrimitive(
      "req_host_suffix_in",
      ["list"],
      "the host ends with one of these",
      (list) => {
        const test = matchSuffix(list.map(normalizeHost), false);
        return (request) => test(request.host);
      },
    ),
    definePrimitive(
      "req_host_regmatch",
      ["regexp"],
      "the host matches the pattern, whatever its case",
      ({ source }) => {
        // A request's host comes in lower case (RFC 3986 section 3.2.2): a
        // pattern with capitals would never match.
        const pattern = compileSafe(source, { ignoreCase: true });
        return (request) => pattern.test(request.host);
      },
    ),
  ];
}

/** The primitives on path and target. */
export function pathPrimitives(): readonly Primitive[] {
  const match = (name: string, does: string, make: TextMatch) =>
    definePrimitive(
      name,
      ["list", "boolean"],
      `the path ${does} one of these; true ignores case`,
      (list, ignoreCase) => {
        const test = make(list, ignoreCase);
        return (request) => test(decodedPath(request));
      },
    );
  return [
    match("req_path_in", "is", matchIn),
    match("req_path_prefix_in", "begins with", matchPrefix),
    match("req_path_suffix_in", "ends with", matchSuffix),
    match("req_path_contain", "contains", matchContain),
    match(
      "req_path_element_prefix_in",
      "begins with the whole segments of",
      matchElementPrefix,
    ),
    definePrimitive(
      "req_path_regmatch",
      ["regexp"],
      "the path matches the pattern",
      (pattern) => (request) => pattern.test(decodedPath(request)),
    ),
    definePrimitive(
      "req_url_regmatch",
      ["regexp"],
      "the target, path and query with their escapes, matches the pattern",
      (pattern) => (request) => pattern.test(request.target),
    ),
  ];
}

/** A host as a request tells it: no brackets, no port, in its one spelling. */
function normalizeHost(text: string): string {
  const host = canonicalHost(text.replace(/^\[(.*)\]$/, "$1"));
  // One colon is a port's; an IPv6 address has at least two.
  if (/^[^:]*:[^:]*$|^\[|^$/.test(host)) {
    throw new RangeError(
      `A host must be a name or an address without a port: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  return host;
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65_535) return port;
  throw new RangeError(
    `A port must be a number from 0 to 65535: current value is ${
      JSON.stringify(text)
    }`,
  );
}
