/**
 * Primitives on named values: query parameters, cookies, header fields. BFE
 * gives each of the three the same family.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import { matchBuckets } from "./hash_buckets.ts";
import {
  type Condition,
  definePrimitive,
  type Primitive,
} from "./primitive.ts";
import { firstHeader, hasParameter, someQueryKey } from "./request_reading.ts";
import {
  matchContain,
  matchIn,
  matchPrefix,
  matchSuffix,
  type TextMatch,
  type TextTest,
} from "./text_match.ts";

/** Where a family's values are. */
interface Source {
  /** What the names begin with. */
  readonly prefix: string;
  /** What it is called in descriptions. */
  readonly what: string;
  /** Checks a name at load, and brings it into the form that `read` wants. */
  readonly name: (name: string) => string;
  /** Undefined where the request has none: no test of the family is true then. */
  readonly read: (request: HttpRequest, name: string) => string | undefined;
}

const QUERY: Source = {
  prefix: "req_query",
  what: "query parameter",
  name: (name) => name,
  read: (request, name) => request.parameter(name),
};

const COOKIE: Source = {
  prefix: "req_cookie",
  what: "cookie",
  name: (name) => name,
  read: (request, name) => request.cookie(name),
};

const HEADER: Source = {
  prefix: "req_header",
  what: "header field",
  name: fieldName,
  read: firstHeader,
};

/** The primitives on query, cookies and header fields. */
export function valuePrimitives(): readonly Primitive[] {
  return [
    definePrimitive(
      "req_query_exist",
      [],
      "the query has a parameter",
      () => (request) => hasParameter(request.query),
    ),
    definePrimitive(
      "req_query_key_in",
      ["list"],
      "the query has a parameter of one of these names",
      (names) => {
        const test = matchIn(names, false);
        return (request) => someQueryKey(request.query, test);
      },
    ),
    definePrimitive(
      "req_query_key_prefix_in",
      ["list"],
      "the query has a parameter whose name begins so",
      (prefixes) => {
        const test = matchPrefix(prefixes, false);
        return (request) => someQueryKey(request.query, test);
      },
    ),
    ...family(QUERY),
    regmatch(QUERY),
    keyIn(COOKIE),
    ...family(COOKIE),
    keyIn(HEADER),
    ...family(HEADER),
    regmatch(HEADER),
    definePrimitive(
      "req_ua_regmatch",
      ["regexp"],
      "the User-Agent matches the pattern",
      (pattern) =>
        condition(HEADER, "user-agent", (value) => pattern.test(value)),
    ),
  ];
}

/** What all three have. */
function family(source: Source): readonly Primitive[] {
  const { prefix, what } = source;
  const match = (suffix: string, does: string, make: TextMatch) =>
    definePrimitive(
      `${prefix}_value_${suffix}`,
      ["string", "list", "boolean"],
      `the first ${what} of this name ${does} one of these`,
      (name, list, ignoreCase) =>
        condition(source, name, make(list, ignoreCase)),
    );
  return [
    match("in", "is", matchIn),
    match("prefix_in", "begins with", matchPrefix),
    match("suffix_in", "ends with", matchSuffix),
    match("contain", "contains", matchContain),
    definePrimitive(
      `${prefix}_value_hash_in`,
      ["string", "list", "boolean"],
      `the first ${what} of this name falls into one of these buckets`,
      (name, sections, ignoreCase) => {
        const test = matchBuckets(sections);
        return condition(
          source,
          name,
          ignoreCase ? (value) => test(value.toLowerCase()) : test,
        );
      },
    ),
  ];
}

function regmatch(source: Source): Primitive {
  return definePrimitive(
    `${source.prefix}_value_regmatch`,
    ["string", "regexp"],
    `the first ${source.what} of this name matches the pattern`,
    (name, pattern) => condition(source, name, (value) => pattern.test(value)),
  );
}

function keyIn(source: Source): Primitive {
  return definePrimitive(
    `${source.prefix}_key_in`,
    ["list"],
    `there is a ${source.what} of one of these names`,
    (list) => {
      const names = list.map(source.name);
      return (request) => {
        for (const name of names) {
          if (source.read(request, name) !== undefined) return true;
        }
        return false;
      };
    },
  );
}

function condition(source: Source, name: string, test: TextTest): Condition {
  const wanted = source.name(name);
  const { read } = source;
  return (request) => {
    const value = read(request, wanted);
    return value !== undefined && test(value);
  };
}

/** A field name is a token (RFC 9110 section 5.1): no request has another. */
function fieldName(name: string): string {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return name.toLowerCase();
  throw new RangeError(
    `A header field's name must be a token: current value is ${
      JSON.stringify(name)
    }`,
  );
}
