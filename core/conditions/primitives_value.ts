/**
 * Primitives on named values: query parameters, cookies, header fields. BFE
 * gives each of the three the same family.
 *
 * @module
 */
import type { HttpRequest } from "../plugin.ts";
import { matchBuckets } from "./hash_buckets.ts";
import {
  type Dimension,
  type KeyFit,
  keysOf,
  partKeys,
  patternKeys,
} from "./index_key.ts";
import {
  IGNORE_CASE,
  list,
  listAs,
  parseFieldName,
  parts,
  regexp,
  text,
} from "./parameter.ts";
import {
  type Condition,
  definePrimitive,
  type Primitive,
} from "./primitive.ts";
import {
  firstValue,
  hasParameter,
  queryValue,
  someQueryKey,
} from "./request_reading.ts";
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
  name: String,
  read: (request, name) => queryValue(request.query, name),
};

const COOKIE: Source = {
  prefix: "req_cookie",
  what: "cookie",
  name: String,
  read: (request, name) => request.cookie(name),
};

const HEADER: Source = {
  prefix: "req_header",
  what: "header field",
  name: parseFieldName,
  read: (request, name) => firstValue(request.headers, name),
};

/** The primitives on query, cookies and header fields. */
export function valuePrimitives(): readonly Primitive[] {
  return [
    definePrimitive({
      name: "req_query_exist",
      parameters: [],
      description: "the query has a parameter",
      make: () => (request) => hasParameter(request.query),
    }),
    definePrimitive({
      name: "req_query_key_in",
      parameters: [list("names", String)],
      description: "the query has a parameter of one of these names",
      make: ([names]) => {
        const test = matchIn(names, false);
        return (request) => someQueryKey(request.query, test);
      },
    }),
    definePrimitive({
      name: "req_query_key_prefix_in",
      parameters: [parts("beginnings")],
      description: "the query has a parameter whose name begins so",
      make: ([beginnings]) => {
        const test = matchPrefix(beginnings, false);
        return (request) => someQueryKey(request.query, test);
      },
    }),
    ...family(QUERY),
    regmatch(QUERY),
    keyIn(COOKIE),
    ...family(COOKIE),
    keyIn(HEADER),
    ...family(HEADER),
    regmatch(HEADER),
    definePrimitive({
      name: "req_ua_regmatch",
      parameters: [regexp()],
      description: "the User-Agent matches the pattern",
      make: ([pattern]) =>
        condition(HEADER, "user-agent", (value) => pattern.test(value)),
      keys: ([pattern]) =>
        patternKeys(dimension(HEADER, "user-agent"), pattern),
    }),
  ];
}

/** What all three have. */
function family(source: Source): readonly Primitive[] {
  const { prefix, what } = source;
  const match = (
    suffix: string,
    does: string,
    make: TextMatch,
    fit: KeyFit,
  ) =>
    definePrimitive({
      name: `${prefix}_value_${suffix}`,
      parameters: [
        text("name", source.name),
        fit === "whole" ? list("values", String) : parts("values"),
        IGNORE_CASE,
      ],
      description: `the first ${what} of this name ${does} one of these`,
      make: ([name, values, ignoreCase]) =>
        condition(source, name, make(values, ignoreCase)),
      keys: ([name, values, ignoreCase]) =>
        fit === "part"
          ? partKeys(dimension(source, name), values, ignoreCase)
          : keysOf(dimension(source, name), fit, values, ignoreCase),
    });
  return [
    match("in", "is", matchIn, "whole"),
    match("prefix_in", "begins with", matchPrefix, "prefix"),
    match("suffix_in", "ends with", matchSuffix, "suffix"),
    match("contain", "contains", matchContain, "part"),
    definePrimitive({
      name: `${prefix}_value_hash_in`,
      parameters: [
        text("name", source.name),
        listAs("buckets", matchBuckets),
        IGNORE_CASE,
      ],
      description:
        `the first ${what} of this name falls into one of these buckets`,
      make: ([name, test, ignoreCase]) =>
        condition(
          source,
          name,
          ignoreCase ? (value) => test(value.toLowerCase()) : test,
        ),
    }),
  ];
}

function regmatch(source: Source): Primitive {
  return definePrimitive({
    name: `${source.prefix}_value_regmatch`,
    parameters: [text("name", source.name), regexp()],
    description: `the first ${source.what} of this name matches the pattern`,
    make: ([name, pattern]) =>
      condition(source, name, (value) => pattern.test(value)),
    keys: ([name, pattern]) => patternKeys(dimension(source, name), pattern),
  });
}

function keyIn(source: Source): Primitive {
  return definePrimitive({
    name: `${source.prefix}_key_in`,
    parameters: [list("names", source.name)],
    description: `there is a ${source.what} of one of these names`,
    make: ([names]) => (request) => {
      for (const name of names) {
        if (source.read(request, name) !== undefined) return true;
      }
      return false;
    },
    // Every text begins with an empty one.
    keys: ([names]) =>
      names.flatMap((name) =>
        keysOf(dimension(source, name), "prefix", [""], false)
      ),
  });
}

function condition(source: Source, name: string, test: TextTest): Condition {
  const { read } = source;
  return (request) => {
    const value = read(request, name);
    return value !== undefined && test(value);
  };
}

function dimension(source: Source, name: string): Dimension {
  return {
    name: `${source.what} ${name}`,
    dear: true,
    read: (request) => source.read(request, name),
  };
}
