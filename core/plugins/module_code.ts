/**
 * Turns a module's text into JavaScript and finds its imports.
 *
 * TypeScript is transpiled by sucrase, which keeps line numbers and drops type
 * imports, also `import { type T }` and imports that only types use; on the
 * JavaScript that is left es-module-lexer is right (reference/deno.md). Both are
 * loaded when the first plugin needs them.
 *
 * @module
 */
import type { Transform } from "sucrase";
import { messageOf } from "./plugin_load_error.ts";
import type { ModuleType } from "./media_type.ts";

/** A module as JavaScript. */
export interface ModuleCode {
  readonly code: string;
  readonly imports: readonly FoundImport[];
}

/** One import whose specifier is a literal. */
export interface FoundImport {
  readonly specifier: string;
  /** The range of the specifier with its quotes, in the JavaScript. */
  readonly start: number;
  readonly end: number;
  /** Whether it says `with { type: "json" }`. */
  readonly json: boolean;
  /** `line:column` in the module's own text, from 1. */
  readonly at: string;
}

/** Why a module's text was refused, and where. */
export class ModuleTextError extends Error {
  override readonly name = "ModuleTextError";
  readonly code: "parse_error" | "computed_import" | "unsupported_attribute";
  /** `line:column` from 1. */
  readonly at: string;

  constructor(code: ModuleTextError["code"], message: string, at: string) {
    super(message);
    this.code = code;
    this.at = at;
  }
}

/** Reads modules; {@linkcode loadModuleReader} makes one. */
export type ModuleReader = (
  source: string,
  type: Exclude<ModuleType, "json">,
) => ModuleCode;

const TRANSFORMS: Readonly<
  Record<Exclude<ModuleType, "json">, Transform[]>
> = {
  js: [],
  jsx: ["jsx"],
  ts: ["typescript"],
  tsx: ["typescript", "jsx"],
};

/** Loads the libraries. The reader throws a {@linkcode ModuleTextError}. */
export async function loadModuleReader(): Promise<ModuleReader> {
  const [{ transform }, lexer] = await Promise.all([
    import("sucrase"),
    import("es-module-lexer"),
  ]);
  await lexer.init;

  function toJavaScript(
    source: string,
    type: Exclude<ModuleType, "json">,
  ): string {
    // JavaScript goes to the runtime as it is: it knows the newest syntax.
    if (type === "js") return source;
    try {
      return transform(source, {
        transforms: TRANSFORMS[type],
        disableESTransforms: true,
        preserveDynamicImport: true,
        production: true,
      }).code;
    } catch (error) {
      throw transpileError(error);
    }
  }

  return (source, type) => {
    const code = toJavaScript(source, type);
    const imports: FoundImport[] = [];
    for (const found of parseImports(lexer.parse, code)) {
      // -2 is import.meta.
      if (found.d === -2) continue;
      imports.push(readImport(found, code, source));
    }
    return { code, imports };
  };
}

/** The part of es-module-lexer's findings that is used here. */
interface LexedImport {
  /** The specifier, undefined where it is computed. */
  readonly n: string | undefined;
  /** The specifier's range: without quotes where static, with them where dynamic. */
  readonly s: number;
  readonly e: number;
  /** The end of the whole statement or call. */
  readonly se: number;
  /** Above -1 for a dynamic import. */
  readonly d: number;
  /** The start of the attributes, -1 where there are none. */
  readonly a: number;
}

function parseImports(
  parse: (source: string) => readonly [readonly LexedImport[], ...unknown[]],
  code: string,
): readonly LexedImport[] {
  try {
    return parse(code)[0];
  } catch (error) {
    const index = error instanceof Error && "idx" in error
      ? Number(error.idx)
      : 0;
    throw new ModuleTextError(
      "parse_error",
      "it doesn't parse as JavaScript",
      positionOf(code, index),
    );
  }
}

function readImport(
  found: LexedImport,
  code: string,
  source: string,
): FoundImport {
  const { n: specifier, s, e, d } = found;
  if (specifier === undefined) {
    throw new ModuleTextError(
      "computed_import",
      `import(${
        code.slice(s, e)
      }) is computed, so that it can't be fetched and hashed beforehand; only a literal text will do`,
      positionOf(code, s),
    );
  }
  const at = placeInSource(code, s, specifier, source);
  const quotes = d > -1 ? 0 : 1;
  return {
    specifier,
    start: s - quotes,
    end: e + quotes,
    json: asksForJson(found, code, at),
    at,
  };
}

function asksForJson(found: LexedImport, code: string, at: string): boolean {
  if (found.a === -1) return false;
  const text = code.slice(found.a, found.se);
  // After a trailing comma the lexer finds attributes that are only ")".
  if (text.trim() === ")") return false;
  const type = /\btype["']?\s*:\s*(["'])(.*?)\1/.exec(text)?.[2];
  if (type === "json") return true;
  throw new ModuleTextError(
    "unsupported_attribute",
    type === undefined
      ? 'import attributes can only be a literal { type: "json" }'
      : `modules of type "${type}" are not supported; only "json" is`,
    at,
  );
}

/**
 * Where the specifier stands in the module's own text: on the same line, as
 * transpiling keeps lines, but perhaps in another column.
 */
function placeInSource(
  code: string,
  index: number,
  specifier: string,
  source: string,
): string {
  const line = lineOf(code, index);
  const column = source.split("\n")[line - 1]?.indexOf(specifier) ?? -1;
  return column === -1 ? positionOf(code, index) : `${line}:${column + 1}`;
}

function positionOf(text: string, index: number): string {
  const column = index - text.lastIndexOf("\n", index - 1);
  return `${lineOf(text, index)}:${column}`;
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Sucrase says `Error transforming FILE: What (line:column)` and has a `loc`. */
function transpileError(thrown: unknown): ModuleTextError {
  const place = / \((\d+:\d+)\)$/;
  const message = messageOf(thrown);
  return new ModuleTextError(
    "parse_error",
    message.replace(/^Error transforming [^:]*: /, "").replace(place, ""),
    place.exec(message)?.[1] ?? "1:1",
  );
}
