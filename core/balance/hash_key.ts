/**
 * What `hash.key` of the config means: how a request's key is read.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import type { PickContext } from "./policy.ts";

/** Reads the key; undefined where there is none. */
export type HashKey = (context: PickContext) => string | undefined;

/** The client's address: the key of a config that says none. */
export const clientAddressKey: HashKey = ({ clientAddress }) => clientAddress;

/**
 * The reader of `clientAddress`, `uri` (path and query), `path` (escapes kept),
 * `header:NAME`, `cookie:NAME` or `query:NAME`. An empty value counts as none,
 * and a tcp session has none but its client's address. Throws a `RangeError` for
 * another key.
 */
export function hashKey(key: string): HashKey {
  if (key === "clientAddress") return clientAddressKey;
  const read = requestReader(key);
  return ({ request }) =>
    request === undefined ? undefined : read(request) || undefined;
}

function requestReader(
  key: string,
): (request: HttpRequest) => string | null | undefined {
  if (key === "uri") return ({ target }) => target;
  if (key === "path") return ({ path }) => path;
  const [, kind, name = ""] = /^(header|cookie|query):(\S+)$/.exec(key) ?? [];
  switch (kind) {
    case "header":
      return ({ headers }) => headers.get(name);
    case "cookie":
      return (request) => request.cookie(name);
    case "query":
      return (request) => request.parameter(name);
    default:
      throw new RangeError(
        `A hash key must be clientAddress, uri, path, header:NAME, cookie:NAME or query:NAME: current value is ${
          JSON.stringify(key)
        }`,
      );
  }
}
