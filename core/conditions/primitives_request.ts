/**
 * Primitives on method, protocol, client, tags and context of a request.
 *
 * @module
 */
import { canonicalHost } from "../net/host_name.ts";
import type { HttpRequest } from "../plugin.ts";
import {
  matchAddressRange,
  parseAddress,
  readAddress,
} from "./address_range.ts";
import { matchBuckets } from "./hash_buckets.ts";
import { type Dimension, keysOf } from "./index_key.ts";
import { IGNORE_CASE, list, listAs, text } from "./parameter.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";
import { matchIn } from "./text_match.ts";

const METHOD: Dimension = {
  name: "method",
  dear: false,
  read: (request) => request.method.toUpperCase(),
};

/** Those that are always true, and on method, protocol, client, tags and context. */
export function requestPrimitives(): readonly Primitive[] {
  return [
    definePrimitive({
      name: "default_t",
      parameters: [],
      description: "always",
      make: () => () => true,
    }),
    definePrimitive({
      name: "req_method_in",
      parameters: [list("methods", (method) => method.toUpperCase())],
      description: "the method is one of these, whatever its case",
      make: ([methods]) => {
        const test = matchIn(methods, false);
        return ({ method }) => test(method) || test(method.toUpperCase());
      },
      keys: ([methods]) => keysOf(METHOD, "whole", methods, false),
    }),
    ...protocolPrimitives(),
    ...clientPrimitives(),
    definePrimitive({
      name: "req_tag_match",
      parameters: [text("name", String), text("value", String)],
      description:
        "the request has this tag with this value, or with one that goes on behind it with a colon (`a:b` for `a`)",
      make: ([name, value]) => {
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
    }),
    definePrimitive({
      name: "req_context_value_in",
      parameters: [text("key", String), list("values", String), IGNORE_CASE],
      description:
        "the text that a plugin left in the transaction's `data` under this key is one of these",
      make: ([key, values, ignoreCase]) => {
        const test = matchIn(values, ignoreCase);
        return (request) => {
          const value = request.transaction.data.get(key);
          return typeof value === "string" && test(value);
        };
      },
    }),
  ];
}

function protocolPrimitives(): readonly Primitive[] {
  return [
    definePrimitive({
      name: "req_proto_match",
      parameters: [text("protocol", parseProtocol)],
      description:
        "the client speaks this: h2 (over TLS), https (HTTP/1 over TLS), wss (of these, a WebSocket's handshake); HTTP/1.0, HTTP/1.1 or HTTP/2.0 without TLS",
      make: ([matches]) => matches,
    }),
    definePrimitive({
      name: "req_proto_secure",
      parameters: [],
      description:
        "the client speaks TLS, to this proxy or to a trusted one before it",
      make: () => isSecure,
    }),
  ];
}

function clientPrimitives(): readonly Primitive[] {
  return [
    definePrimitive({
      name: "req_cip_trusted",
      parameters: [],
      description:
        "the connection comes from one of the listener's trusted addresses",
      make: () => (request) => request.trusted,
    }),
    definePrimitive({
      name: "req_cip_range",
      parameters: [text("first", readAddress), text("last", readAddress)],
      description: "the client's address lies from the first to the last",
      make: ([first, last]) => {
        const test = matchAddressRange(first, last);
        return (request) => test(request.clientAddress);
      },
    }),
    definePrimitive({
      name: "req_cip_hash_in",
      parameters: [listAs("buckets", matchBuckets)],
      description: "the client's address falls into one of these buckets",
      make: ([test]) => ({ clientAddress }) =>
        isAddress(clientAddress) && test(plainAddress(clientAddress)),
    }),
  ];
}

/** What protocols are called, and when a request came by one. */
const PROTOCOLS: ReadonlyMap<string, (request: HttpRequest) => boolean> =
  new Map<string, (request: HttpRequest) => boolean>([
    ["h2", (request) => isSecure(request) && request.version === "2"],
    ["https", (request) => isSecure(request) && request.version !== "2"],
    [
      "wss",
      (request) =>
        isSecure(request) && request.version !== "2" &&
        request.headers.get("upgrade")?.toLowerCase() === "websocket",
    ],
    ["http/1.0", (request) => !isSecure(request) && request.version === "1.0"],
    ["http/1.1", (request) => !isSecure(request) && request.version === "1.1"],
    ["http/2.0", (request) => !isSecure(request) && request.version === "2"],
  ]);

function parseProtocol(text: string): (request: HttpRequest) => boolean {
  const matches = PROTOCOLS.get(text.toLowerCase());
  if (matches !== undefined) return matches;
  throw new RangeError(
    `A protocol must be one of ${
      [...PROTOCOLS.keys()].join(", ")
    }: current value is ${JSON.stringify(text)}`,
  );
}

function isSecure(request: HttpRequest): boolean {
  return request.scheme === "https";
}

function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

/** As Go prints it, which BFE hashes: shortest, an IPv4 address never mapped into IPv6, without a zone. */
function plainAddress(address: string): string {
  if (!address.includes(":")) return address;
  const [bare = ""] = address.split("%", 1);
  const order = parseAddress(bare);
  return typeof order === "number"
    ? [24, 16, 8, 0].map((shift) => (order >>> shift) & 255).join(".")
    : canonicalHost(bare);
}
