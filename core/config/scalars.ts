/**
 * The kinds of scalars that keys of the config hold.
 *
 * Each kind reads what YAML made of the text (and what `${…}` expanded to, which
 * is always text) and knows its JSON Schema. Wherever something else than text
 * is wanted, editors must also let `"${NAME}"` pass.
 *
 * @module
 */
import { parseListenAddress } from "../net/address.ts";
import type { ListenAddress } from "../net/address.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseBackendUrl } from "./backend_url.ts";
import type { BackendUrl } from "./backend_url.ts";
import type { PemFile } from "./config.ts";
import { parseHostPattern } from "./host_pattern.ts";
import { nearest } from "../text/suggest.ts";
import {
  DURATION_PATTERN,
  parseDuration,
  parsePercentage,
  parseSize,
  parseStatusRange,
  SIZE_PATTERN,
} from "./units.ts";
import type { StatusRange } from "./units.ts";
import { ValueError } from "./value_error.ts";

/** A piece of JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One kind of scalar, as one key uses it. */
export interface Scalar<T> {
  /** What the key means: editors show it. */
  readonly description: string;
  readonly json: JsonSchema;
  /** Throws a `ValueError` or `SyntaxError` that says what was expected. */
  readonly parse: (value: unknown) => T;
}

/** Limits of a number or text. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
}

const EXPANSION = "\\$\\{";

/** Any text; empty only where `min` is 0. */
export function text(
  description: string,
  { min = 1, pattern, expected = "text" }: {
    readonly min?: number;
    readonly pattern?: string;
    readonly expected?: string;
  } = {},
): Scalar<string> {
  const regexp = pattern === undefined ? undefined : new RegExp(pattern, "u");
  const json = pattern === undefined
    ? { type: "string", ...(min > 0 && { minLength: min }) }
    : { type: "string", pattern: `${pattern}|${EXPANSION}` };
  return {
    description,
    json,
    parse(value) {
      const string = readText(value, expected);
      if (string.length < min || regexp?.test(string) === false) {
        throw new ValueError(`Expected ${expected}`);
      }
      return string;
    },
  };
}

/** A name that stands in logs, metrics and admin paths. */
export function name(description: string): Scalar<string> {
  return text(description, {
    pattern: "^[^\\s\\u0000-\\u001f\\u007f]+$",
    expected: "a name without white space",
  });
}

/** A token of RFC 9110 §5.6.2, such as a method or a field's name. */
export function token(description: string): Scalar<string> {
  return text(description, {
    pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    expected: "a token: letters, digits and !#$%&'*+-.^_`|~",
  });
}

/** A host name with or without a port, as a Host field has it; `expected` says what fits. */
export function hostField(
  description: string,
  expected: string,
): Scalar<string> {
  const host = text(description);
  return {
    ...host,
    parse(value) {
      const written = host.parse(value);
      const [, bare = written, port = ""] =
        /^(.*[^:])(:\d{1,5})$/.exec(written) ?? [];
      try {
        if (!bare.startsWith("*")) return parseHostPattern(bare) + port;
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        // Refused below, in words that fit this key.
      }
      throw new ValueError(`Expected ${expected}`);
    },
  };
}

/** A whole number. */
export function integer(
  description: string,
  { min = 0, max = 1_000_000 }: Limits = {},
): Scalar<number> {
  const expected = `Expected a whole number from ${min} to ${max}`;
  return {
    description,
    json: orExpansion({ type: "integer", minimum: min, maximum: max }),
    parse(value) {
      const number = readNumber(value);
      if (!(Number.isInteger(number) && number >= min && number <= max)) {
        throw new ValueError(expected);
      }
      return number;
    },
  };
}

/** Any finite number. */
export function number(description: string): Scalar<number> {
  return {
    description,
    json: orExpansion({ type: "number" }),
    parse(value) {
      const number = readNumber(value);
      if (!Number.isFinite(number)) throw new ValueError("Expected a number");
      return number;
    },
  };
}

/** `true` or `false`. */
export function boolean(description: string): Scalar<boolean> {
  return {
    description,
    json: orExpansion({ type: "boolean" }),
    parse(value) {
      if (value === true || value === "true") return true;
      if (value === false || value === "false") return false;
      // YAML 1.1 read these as booleans, YAML 1.2 reads text.
      const meant = /^(yes|on)$/i.test(String(value))
        ? "true"
        : /^(no|off)$/i.test(String(value))
        ? "false"
        : undefined;
      throw new ValueError("Expected true or false", meant);
    },
  };
}

/** One of some words. */
export function choice<const T extends string>(
  description: string,
  values: readonly T[],
): Scalar<T> {
  const expected = `Expected ${formatChoices(values)}`;
  return {
    description,
    json: orExpansion({ enum: values }),
    parse(value) {
      const string = readText(value, formatChoices(values));
      const found = values.find((one) => one === string);
      if (found === undefined) {
        throw new ValueError(expected, nearest(string, values));
      }
      return found;
    },
  };
}

/** Milliseconds, written with a unit; at least `min` of them, 1 unless said otherwise. */
export function duration(
  description: string,
  { min = 1 }: { readonly min?: number } = {},
): Scalar<number> {
  const expected = "a duration such as 250ms, 5s, 1m or 1h";
  return {
    description,
    json: { type: "string", pattern: `${DURATION_PATTERN}|${EXPANSION}` },
    parse(value) {
      if (typeof value === "number") {
        throw new ValueError(`Expected ${expected}`);
      }
      const milliseconds = parseDuration(readText(value, expected));
      if (milliseconds < min) {
        throw new ValueError(
          min === 1
            ? "Expected a duration above zero"
            : `Expected a duration of at least ${min}ms`,
        );
      }
      return milliseconds;
    },
  };
}

/** Bytes, written with a unit or as a plain number. */
export function size(
  description: string,
  { min = 1, max = Number.MAX_SAFE_INTEGER }: Limits = {},
): Scalar<number> {
  return {
    description,
    json: {
      anyOf: [
        { type: "string", pattern: `${SIZE_PATTERN}|^\\d+$|${EXPANSION}` },
        { type: "integer", minimum: min },
      ],
    },
    parse(value) {
      const bytes = typeof value === "number"
        ? parseSize(String(value))
        : parseSize(readText(value, "a size such as 512B, 16KiB or 1MiB"));
      if (bytes < min || bytes > max) {
        throw new ValueError(
          max === Number.MAX_SAFE_INTEGER
            ? `Expected a size of at least ${min} bytes`
            : `Expected a size from ${min} to ${max} bytes`,
        );
      }
      return bytes;
    },
  };
}

/** A share, written in percent. */
export function percentage(description: string): Scalar<number> {
  return {
    description,
    json: {
      type: "string",
      pattern: `^\\d+(\\.\\d+)?%$|${EXPANSION}`,
    },
    parse: (value) =>
      parsePercentage(
        typeof value === "number"
          ? String(value)
          : readText(value, "a percentage"),
      ),
  };
}

/** A status or a range of them. */
export function statusRange(description: string): Scalar<StatusRange> {
  return {
    description,
    json: {
      anyOf: [
        {
          type: "string",
          pattern: `^[1-5]\\d\\d(-[1-5]\\d\\d)?$|${EXPANSION}`,
        },
        { type: "integer", minimum: 100, maximum: 599 },
      ],
    },
    parse: (value) =>
      parseStatusRange(
        typeof value === "number" ? String(value) : readText(value, "a status"),
      ),
  };
}

/** What a listener binds. */
export function listenAddress(description: string): Scalar<ListenAddress> {
  const expected = "host:port, [IPv6]:port, host:first-last or unix:/path";
  return {
    description,
    json: { type: "string" },
    parse(value) {
      const port = typeof value === "number" ? String(value) : value;
      if (typeof port === "string" && /^(\*?:)?\d+(-\d+)?$/.test(port)) {
        throw new ValueError(
          `Expected ${expected}`,
          `0.0.0.0:${port.replace(/^\*?:/, "")}`,
        );
      }
      return parseListenAddress(readText(value, expected));
    },
  };
}

/** Where a backend listens. */
export function backendUrl(description: string): Scalar<BackendUrl> {
  return {
    description,
    json: { type: "string" },
    parse: (value) =>
      parseBackendUrl(readText(value, "a URL such as http://10.0.0.1:9001")),
  };
}

/** The path of a PEM file; what it holds is read once the whole config is there. */
export function pemFile(description: string): Scalar<PemFile> {
  const path = text(description);
  return { ...path, parse: (value) => ({ path: path.parse(value), pem: "" }) };
}

/** An IP network; stays text. */
export function network(description: string): Scalar<string> {
  return {
    description,
    json: { type: "string" },
    parse(value) {
      const string = readText(value, "an IP network such as 10.0.0.0/8");
      parseCidr(string);
      return string;
    },
  };
}

/** A host or `*.domain`, in its normal form. */
export function hostPattern(description: string): Scalar<string> {
  return {
    description,
    json: { type: "string" },
    parse: (value) => parseHostPattern(readText(value, "a host name")),
  };
}

/** The text of a condition; whether it parses is the rule language's to say. */
export function condition(description: string): Scalar<string> {
  const expected = "a condition such as 'req_path_prefix_in(\"/api/\", false)'";
  return {
    description,
    json: { type: "string", minLength: 1 },
    parse(value) {
      const string = readText(value, expected);
      if (string.trim() === "") throw new ValueError(`Expected ${expected}`);
      return string;
    },
  };
}

/** Makes the values a list in words: `a, b or c`. */
export function formatChoices(values: readonly string[]): string {
  const last = values.at(-1) ?? "";
  return values.length < 2
    ? last
    : `${values.slice(0, -1).join(", ")} or ${last}`;
}

function readText(value: unknown, expected: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") {
    throw new ValueError(
      `Expected ${expected}, YAML reads a ${typeof value}: quote it`,
    );
  }
  throw new ValueError(`Expected ${expected}`);
}

/** NaN for whatever is no number; only the plain decimal form counts in text. */
function readNumber(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value)
    ? Number(value)
    : NaN;
}

function orExpansion(json: JsonSchema): JsonSchema {
  return { anyOf: [json, { type: "string", pattern: EXPANSION }] };
}
