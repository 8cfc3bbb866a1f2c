/**
 * What command lines of `scripts/` hold: one table per script, from which both
 * the reading and the text of `--help` come.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { EXIT } from "../core/cli/command.ts";

/** What is wrong with a command line, in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An option. */
export interface Option<T> {
  readonly does: string;
  /** Stands for its value in the usage text; left out where it takes none. */
  readonly value?: string;
  /** In brackets there: its unit, what is possible, its default. */
  readonly notes: readonly string[];
  /** Where it is not given. */
  readonly default: T;
  /** What it is by the texts that were given; an empty one is missing. Throws a UsageError. */
  read(texts: readonly string[], name: string): T;
}

/** By their names without dashes. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** What options come to. */
export type Values<T extends Options> = {
  readonly [Name in keyof T]: T[Name] extends Option<infer V> ? V : never;
};

/** A script. */
export interface Script<T extends Options> {
  /** Its name in deno.json. */
  readonly task: string;
  /** What it is for, what it needs, how it ends. */
  readonly does: string;
  readonly options: T;
  /** Arguments of a run that makes sense. */
  readonly example: string;
}

/** Makes a value of a text. */
export interface Reader<T> {
  /** Stands for it in the usage text. */
  readonly value: string;
  /** As in "expected a path, found nothing". */
  readonly expected: string;
  /** undefined where it is not what is expected. */
  read(text: string): T | undefined;
}

/** How an option is told, and what it is where it is not given. */
export interface Told<D> {
  readonly does: string;
  readonly unit?: string;
  readonly default: D;
  /** What the usage text calls the default; left out = as it is. */
  readonly byDefault?: string;
}

/** A number above 0; a fraction, too. */
export const POSITIVE = numbers("a number above 0", () => true);

/** A whole number from 1 on. */
export const WHOLE = numbers("a whole number above 0", Number.isSafeInteger);

/** Numbers above 0 that fit. */
export function numbers(
  expected: string,
  fits: (value: number) => boolean,
): Reader<number> {
  const read = (text: string) => {
    const value = Number(text);
    return value > 0 && value < Infinity && fits(value) ? value : undefined;
  };
  return { value: "N", expected, read };
}

/** Any text but none. */
export const PATH: Reader<string> = {
  value: "PATH",
  expected: "a path",
  read: (text) => text === "" ? undefined : text,
};

/** A flag of V8. */
export const V8_FLAG: Reader<string> = {
  value: "FLAG",
  expected: "flags such as --no-opt",
  read: (text) => /^--?\w/.test(text) ? text : undefined,
};

/** One of these. */
export function oneOf<const C extends string>(names: readonly C[]): Reader<C> {
  const read = (text: string) => names.find((name) => name === text);
  return { value: "NAME", expected: alternatives(names), read };
}

/** An option without a value, false by default. */
export function flag(does: string): Option<boolean> {
  const read = (texts: readonly string[], name: string) => {
    const found = texts.find((text) => text !== "");
    if (found !== undefined) throw unexpected(name, "no value", found);
    return true;
  };
  return { does, notes: [], default: false, read };
}

/** An option with a value; the last one counts. */
export function one<T, const D extends T | undefined>(
  reader: Reader<T>,
  told: Told<D>,
): Option<T | D> {
  return {
    ...described(reader, told),
    read: (texts, name) =>
      texts.map((text) => readText(reader, text, name)).at(-1)!,
  };
}

/** An option of values with commas between, which may be given again. */
export function list<T>(
  reader: Reader<T | readonly T[]>,
  told: Told<readonly T[]>,
): Option<readonly T[]> {
  return {
    ...described(reader, told),
    value: `${reader.value},…`,
    read: (texts, name) =>
      texts.flatMap((text) => text.split(","))
        .flatMap((text) => readText(reader, text, name)),
  };
}

/** `--only`: the names that hold one of the texts between its commas; all by default. */
export function only(names: readonly string[]): Option<readonly string[]> {
  const expected = `a part of ${alternatives(names)}`;
  const read = (text: string) => {
    const found = names.filter((name) => name.includes(text));
    return text === "" || found.length === 0 ? undefined : found;
  };
  return list({ value: "TEXT", expected, read }, {
    does: "only those whose names hold one of these texts",
    default: names,
    byDefault: "all",
  });
}

/** The process's own options. Where they ask for help or are wrong, this is printed and the process ends with 0 or 2. */
export function readOptions<T extends Options>(script: Script<T>): Values<T> {
  try {
    const values = parseOptions(script.options, Deno.args);
    if (values !== undefined) return values;
  } catch (thrown) {
    if (!(thrown instanceof UsageError)) throw thrown;
    console.error(thrown.message);
    Deno.exit(EXIT.usage);
  }
  console.log(usageOf(script));
  Deno.exit(EXIT.ok);
}

/** A command line's options; undefined where it asks for help. Throws a UsageError. */
export function parseOptions<T extends Options>(
  options: T,
  args: readonly string[],
): Values<T> | undefined {
  const types = Object.entries(options).map(([name, { value }]) =>
    [name, { type: value === undefined ? "boolean" : "string" }] as const
  );
  const { tokens } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(types),
      help: { type: "boolean", short: "h" },
    },
    // What it would throw takes several lines, and tells no choices.
    strict: false,
    tokens: true,
  });
  if (tokens.some((token) => "name" in token && token.name === "help")) {
    return undefined;
  }
  const known = [...Object.keys(options), "help"].map((name) => `--${name}`);
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    const found = token.kind === "option" ? token.rawName : token.value;
    if (token.kind !== "option" || !Object.hasOwn(options, token.name)) {
      throw new UsageError(
        `Unknown ${token.kind === "option" ? "option" : "argument"} ${
          JSON.stringify(found)
        }: expected ${known.join(", ")}`,
      );
    }
    const { name, value = "", inlineValue } = token;
    // As in `--runs --json`.
    const missing = !inlineValue && known.includes(value);
    given.set(name, [...given.get(name) ?? [], missing ? "" : value]);
  }
  const values = Object.entries(options).map(([name, option]) => {
    const texts = given.get(name);
    return [name, texts ? option.read(texts, `--${name}`) : option.default];
  });
  return Object.fromEntries(values);
}

/** The text of `--help`. */
export function usageOf<T extends Options>(
  { task, does, options, example }: Script<T>,
): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const { does, value, notes } = option;
    return [
      value === undefined ? `--${name}` : `--${name} ${value}`,
      notes.length === 0 ? does : `${does} (${notes.join("; ")})`,
    ] as const;
  });
  rows.push(["-h, --help", "prints this"]);
  const indent = 4 + Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, right]) =>
    `  ${left}`.padEnd(indent) + wrapped(right, indent)
  );
  const command = `deno task ${task}`;
  return [
    ...[`Usage: ${command} [options]`, "", wrapped(does, 0), "", ...lines],
    ...["", `Example: ${command} ${example}`.trimEnd()],
  ].join("\n");
}

/** In lines of 80 columns, all but the first behind an indent; what stands in quotes stays whole. */
function wrapped(text: string, indent: number): string {
  const lines = [""];
  for (const [word] of text.matchAll(/(?:"[^"]*"|[^ "])+/g)) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (indent + longer.length <= 80) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

function described<D>(
  { value, expected }: Reader<unknown>,
  { does, unit, default: fallback, byDefault }: Told<D>,
): Pick<Option<D>, "does" | "value" | "notes" | "default"> {
  const otherwise = byDefault ?? (String(fallback ?? "") || "none");
  const notes = [unit, expected, `default: ${otherwise}`];
  return {
    does,
    ...{ value, notes: notes.filter((note) => note !== undefined) },
    default: fallback,
  };
}

function readText<T>(reader: Reader<T>, text: string, name: string): T {
  const value = reader.read(text);
  if (value === undefined) throw unexpected(name, reader.expected, text);
  return value;
}

function unexpected(name: string, expected: string, text: string): UsageError {
  const found = text === "" ? "nothing" : JSON.stringify(text);
  return new UsageError(`${name}: expected ${expected}, found ${found}`);
}

const ALTERNATIVES = new Intl.ListFormat("en-GB", { type: "disjunction" });

/** "a, b or c", quoted where they hold more than a word does. */
function alternatives(names: readonly string[]): string {
  return ALTERNATIVES.format(
    names.map((name) => /^[\w.-]+$/.test(name) ? name : JSON.stringify(name)),
  );
}
