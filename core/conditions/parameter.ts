/**
 * What primitives take: how an argument is written, and what becomes of it.
 *
 * @module
 */
import { domainToASCII } from "node:url";
import { canonicalHost } from "../net/host_name.ts";
import { compileSafe, type SafeRegExp } from "./safe_regexp.ts";

/** How an argument is written: a list is a text with `|` between its elements, a regexp a text in RE2's syntax. */
export type ParameterForm = "list" | "string" | "boolean" | "regexp";

/** One parameter of a primitive. */
export interface Parameter<T> {
  /** What it is called in listings. */
  readonly name: string;
  readonly form: ParameterForm;
  /**
   * Makes the argument of what is written, a boolean for the form `boolean`,
   * else a text. Throws a `RangeError` or `SyntaxError` to refuse it.
   */
  readonly convert: (written: string | boolean) => T;
}

/** What a primitive's maker gets for its parameters. */
export type ArgumentsOf<P extends readonly Parameter<unknown>[]> = {
  readonly [I in keyof P]: P[I] extends Parameter<infer T> ? T : never;
};

/** A text and what becomes of it; `String` leaves it as it is. */
export function text<T>(
  name: string,
  convert: (text: string) => T,
): Parameter<T> {
  return { name, form: "string", convert: (text) => convert(String(text)) };
}

/** A list and what becomes of it. */
export function listAs<T>(
  name: string,
  convert: (elements: readonly string[]) => T,
): Parameter<T> {
  return {
    name,
    form: "list",
    convert: (text) => convert(String(text).split("|")),
  };
}

/** A list of texts and what becomes of each one; `String` leaves them as they are. */
export function list<T>(
  name: string,
  convert: (element: string) => T,
): Parameter<readonly T[]> {
  return listAs(name, (elements) => elements.map((one) => convert(one)));
}

/**
 * A list of parts of texts. An empty one is part of every text: by a `|` too
 * many the condition would be always true, so it is refused.
 */
export function parts(
  name: string,
  convert: (element: string) => string = String,
): Parameter<readonly string[]> {
  return listAs(name, (elements) => {
    if (!elements.includes("")) return elements.map((one) => convert(one));
    throw new RangeError(
      `A list must not have an empty element: current value is ${
        JSON.stringify(elements.join("|"))
      }`,
    );
  });
}

/** A regular expression. */
export function regexp(
  options: { readonly ignoreCase?: boolean } = {},
): Parameter<SafeRegExp> {
  return {
    name: "pattern",
    form: "regexp",
    convert: (text) => compileSafe(String(text), options),
  };
}

/** Whether case is ignored. */
export const IGNORE_CASE: Parameter<boolean> = {
  name: "ignoreCase",
  form: "boolean",
  convert: Boolean,
};

/** A host as a request tells it: no brackets, no port, ASCII, in its one spelling. */
export function parseHost(text: string): string {
  const host = canonicalHost(text.replace(/^\[(.*)\]$/, "$1"));
  const ascii = /^[\0-\x7f]*$/.test(host) ? host : domainToASCII(host);
  // One colon is a port's; an IPv6 address has at least two.
  if (ascii !== "" && !/^[^:]*:[^:]*$|^\[|\*/.test(ascii)) return ascii;
  throw new RangeError(
    `A host must be a name or an address without a port${
      text.includes("*") ? ", an end of names goes to req_host_suffix_in" : ""
    }: current value is ${JSON.stringify(text)}`,
  );
}

/** A field name is a token (RFC 9110 section 5.1): no message has another. Returned in lower case. */
export function parseFieldName(name: string): string {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return name.toLowerCase();
  throw new RangeError(
    `A header field's name must be a token: current value is ${
      JSON.stringify(name)
    }`,
  );
}

/** A whole number in decimal from `min` to `max`. */
export function parseNumber(
  what: string,
  text: string,
  min: number,
  max: number,
): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max) return number;
  throw new RangeError(
    `${what} must be a number from ${min} to ${max}: current value is ${
      JSON.stringify(text)
    }`,
  );
}
