/**
 * Keys: which requests may share a response at all.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import { looksLikeAny } from "../message/field_rules.ts";
import { formatHost } from "../net/address.ts";

/** What of a request a key is made of. */
export type KeyedRequest = Pick<
  HttpRequest,
  "scheme" | "host" | "port" | "target" | "headers"
>;

/**
 * Makes a request's key; `asked` is the Host that backends are told the client
 * sent, where handlers may have set another and trusted peers may know of
 * another. Begins with a URL, so that purges find it; what else counts follows
 * behind a tab.
 */
export type KeyMaker = (request: KeyedRequest, asked?: string) => string;

/** The whole URL, its host in the router's one spelling, without a scheme's own port. */
export const urlKey: KeyMaker = (request, asked) => {
  const authority = authorityOf(request);
  return originOf(request, authority) + request.target +
    hostsTold(request, authority, asked);
};

function originOf({ scheme }: KeyedRequest, authority: string): string {
  return `${scheme}://${authority}`;
}

function authorityOf({ scheme, host, port }: KeyedRequest): string {
  const own = scheme === "https" ? 443 : 80;
  const shown = host.includes(":") ? formatHost(host) : host;
  return port === undefined || port === own ? shown : `${shown}:${port}`;
}

/**
 * The Host field where it is spelt otherwise than the URL, and the one that the
 * client asked for where that is another: backends get both, and what one answers
 * to `Host: h.x:` must not be what others get for `h.x`.
 */
function hostsTold(
  request: KeyedRequest,
  authority: string,
  asked: string | undefined,
): string {
  const host = request.headers.get("host");
  let told = "";
  // HTTP/1.0 may come without one: its backend gets another than an empty one.
  if (host !== authority) told += `\thost=${escape(host)}`;
  if (asked !== undefined && asked !== host) told += `\tasked=${escape(asked)}`;
  return told;
}

/**
 * A maker by a rule's `key`, parts with spaces between them: `path` (always
 * counts, with scheme and host), `query` for all of the query, `query:NAME`,
 * `header:NAME`, `cookie:NAME`. Throws a `TypeError` for what is none.
 */
export function keyMaker(text: string): KeyMaker {
  const parts = text.split(/\s+/).filter((part) => part !== "");
  let whole = false;
  const parameters: string[] = [];
  const others: ((request: KeyedRequest) => string)[] = [];
  for (const part of parts) {
    const [, kind, name] = /^([a-z]+)(?::(.+))?$/.exec(part) ?? [];
    if (part === "path") continue;
    if (part === "query") whole = true;
    else if (kind === "query" && name !== undefined) parameters.push(name);
    else if (kind === "header" && name !== undefined) {
      const lowerName = name.toLowerCase();
      if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw unknown(part);
      others.push(({ headers }) =>
        `${lowerName}=${escape(headers.get(lowerName))}` +
        lookalikesOf(headers, lowerName)
      );
    } else if (kind === "cookie" && name !== undefined) {
      others.push(({ headers }) =>
        `cookie.${name}=${escape(cookiesOf(headers, name))}`
      );
    } else throw unknown(part);
  }
  return (request, asked) => {
    const { target } = request;
    const mark = target.indexOf("?");
    const authority = authorityOf(request);
    let key = originOf(request, authority);
    if (whole || mark < 0) key += target;
    else {
      key += target.slice(0, mark) +
        chosenQuery(target.slice(mark + 1), parameters);
    }
    key += hostsTold(request, authority, asked);
    for (const other of others) key += `\t${other(request)}`;
    return key;
  };
}

/** Only these parameters, in the rule's order, as they stand. */
function chosenQuery(query: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const pairs = query.split("&");
  const chosen = names.flatMap((name) =>
    pairs.filter((pair) => isNamed(pair, name))
  );
  return chosen.length === 0 ? "" : `?${chosen.join("&")}`;
}

/** However its name is written: backends decode it. */
function isNamed(pair: string, name: string): boolean {
  if (pair === name || pair.startsWith(`${name}=`)) return true;
  return /[%+]/.test(pair) && new URLSearchParams(pair).has(name);
}

/** What backends with variables in place of fields take for this one, such as `X_A` for `x-a`. */
function lookalikesOf(headers: KeyedRequest["headers"], name: string): string {
  let told = "";
  for (const [other, value] of headers) {
    const lowerName = other.toLowerCase();
    if (looksLikeAny(lowerName, [name])) {
      told += `\t${lowerName}=${escape(value)}`;
    }
  }
  return told;
}

/** Every value of a cookie: of several one backend goes by the first, another by the last. */
function cookiesOf(
  headers: KeyedRequest["headers"],
  name: string,
): string | null {
  const values = headers.getAll("cookie").flatMap((line) => line.split(";"))
    .flatMap((pair) => {
      const equals = pair.indexOf("=");
      return equals > 0 && pair.slice(0, equals).trim() === name
        ? pair.slice(equals + 1).trim()
        : [];
    });
  return values.length === 0 ? null : values.join(";");
}

/** Absent and empty differ; a tab would look like the next part. */
function escape(value: string | null): string {
  return value === null ? "-" : `"${value.replaceAll("\t", " ")}"`;
}

function unknown(part: string): TypeError {
  return new TypeError(
    `must be made of path, query, query:NAME, header:NAME and cookie:NAME: ${
      JSON.stringify(part)
    } is none of them`,
  );
}

/**
 * The key of a URL that a response names, by which it is invalidated:
 * undefined where it is of another origin (RFC 9111 §4.4).
 */
export function sameOriginKey(
  request: KeyedRequest,
  reference: string,
): string | undefined {
  const own = originOf(request, authorityOf(request));
  const url = URL.parse(reference, own + request.target);
  if (url === null || URL.parse(own)?.origin !== url.origin) return undefined;
  return own + url.pathname + url.search;
}
