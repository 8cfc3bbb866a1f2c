/**
 * Reads of a request what conditions ask for and the request has no getter for.
 *
 * @module
 */
import type { HeaderFields, HttpRequest } from "../plugin.ts";
import type { TextTest } from "./text_match.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The path without escapes, as BFE judges it: `/%61dmin` is `/admin` to most
 * backends, so it must be to a rule that guards it.
 */
export function decodedPath(request: HttpRequest): string {
  const { path } = request;
  return path.includes("%") ? percentDecode(path) : path;
}

/** The first value of a field; an empty one counts as none, as in BFE. */
export function firstValue(
  headers: HeaderFields,
  name: string,
): string | undefined {
  const value = headers.get(name);
  if (!value) return undefined;
  // Only a joined value can be more than the first; few values have a comma.
  if (!value.includes(", ")) return value;
  return headers.getAll(name)[0] || undefined;
}

/**
 * The first parameter of this name, decoded as `URLSearchParams` does, which
 * takes six times as long, as it decodes all of them.
 */
export function queryValue(query: string, name: string): string | undefined {
  const coded = query.includes("%") || query.includes("+");
  for (let start = 0; start < query.length;) {
    const next = query.indexOf("&", start);
    const end = next < 0 ? query.length : next;
    const equals = query.indexOf("=", start);
    const stop = equals < 0 || equals > end ? end : equals;
    const found = end > start &&
      (coded
        ? decodeQuery(query.slice(start, stop)) === name
        : stop - start === name.length && query.startsWith(name, start));
    if (found) return decodeQuery(query.slice(stop + 1, end));
    start = end + 1;
  }
  return undefined;
}

/** Whether a key of the query passes the test; keys without `=` too. */
export function someQueryKey(query: string, test: TextTest): boolean {
  for (let start = 0; start < query.length;) {
    const next = query.indexOf("&", start);
    const end = next < 0 ? query.length : next;
    const equals = query.indexOf("=", start);
    const stop = equals < 0 || equals > end ? end : equals;
    if (end > start && test(decodeQuery(query.slice(start, stop)))) return true;
    start = end + 1;
  }
  return false;
}

/** Whether the query has a parameter: `?` and `?&` have none. */
export function hasParameter(query: string): boolean {
  for (let i = 0; i < query.length; i++) if (query[i] !== "&") return true;
  return false;
}

/** In a query a plus sign is a space (WHATWG URL, application/x-www-form-urlencoded). */
function decodeQuery(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  return spaced.includes("%") ? percentDecode(spaced) : spaced;
}

/** Broken escapes stay as they are; broken UTF-8 becomes U+FFFD. */
function percentDecode(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
    const bytes = new Uint8Array(run.length / 3);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = parseInt(run.slice(i * 3 + 1, i * 3 + 3), 16);
    }
    return decoder.decode(bytes);
  });
}
