/**
 * What is wrong with a config, and how it is told.
 *
 * @module
 */

/** One problem with its place, ready to be shown. */
export interface Problem {
  /** The file's name as it was given. */
  readonly file: string;
  /** From 1; undefined where it can't be told. */
  readonly line?: number | undefined;
  /** From 1; undefined where it can't be told. */
  readonly column?: number | undefined;
  /** `listeners[0].address`; empty for the file as a whole. */
  readonly path: string;
  /** What was expected. */
  readonly message: string;
  /** The value; left out where it is secret or says nothing. */
  readonly value?: unknown;
  /** What was probably meant. */
  readonly suggestion?: string | undefined;
}

/** Keys and indexes from the file's root. */
export type Path = readonly (string | number)[];

/** A problem by its path: its position in the file is found later. */
export interface Finding {
  readonly path: Path;
  /** Whether the key is meant or, by default, its value. */
  readonly at?: "key" | "value";
  /** What was expected. */
  readonly message: string;
  /** Whether a scalar was expected: a list or mapping may then be one without its quotes. */
  readonly wantsScalar?: boolean;
  /** Left out where it says nothing. */
  readonly value?: unknown;
  readonly suggestion?: string | undefined;
}

/** Longer values are cut in messages. */
const MAX_SHOWN = 80;

/** `proxy.yaml:12:7 listeners[0].limits.header: unknown key, did you mean "headers"?` */
export function formatProblem(problem: Problem): string {
  const { file, line, column, path, message, suggestion } = problem;
  const place = [file, line, column].filter((part) => part !== undefined);
  const shown = "value" in problem ? `, is ${showValue(problem.value)}` : "";
  const meant = suggestion === undefined
    ? ""
    : `, did you mean ${JSON.stringify(suggestion)}?`;
  return `${place.join(":")}${path && ` ${path}`}: ${message}${shown}${meant}`;
}

/** `listeners[0].sni["db.example.com"]` */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!/^[\w-]+$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

function showValue(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) {
    return value.length > 0 ? "a list" : "an empty list";
  }
  if (typeof value === "object") return "a mapping";
  const text = JSON.stringify(value) ?? String(value);
  // A password in a URL is nobody's business.
  const masked = text.replace(/\/\/[^/@\s]*@/g, "//***@");
  return masked.length > MAX_SHOWN
    ? `${masked.slice(0, MAX_SHOWN - 1)}…`
    : masked;
}
