/**
 * Expands `${NAME}`, `${NAME:-default}` and `${file:/path}` in the scalars of a
 * parsed file; `$$` is `$`, any other `$` stays as it is.
 *
 * Only after parsing, so that no value can change the file's structure.
 *
 * @module
 */
import type { Finding, Path } from "./problem.ts";
import { formatPath } from "./problem.ts";

/** Where values come from. */
export interface ExpansionSource {
  /** The environment variable, undefined where it is not set. */
  readonly env: (name: string) => string | undefined;
  /** The text of a file by its path as the config gives it; may reject. */
  readonly readFile: (path: string) => Promise<string>;
}

/** A tree with its scalars expanded. */
export interface Expanded {
  readonly value: unknown;
  readonly findings: readonly Finding[];
  /** What stands in the file, by the path of each value that was expanded. */
  readonly origins: ReadonlyMap<string, string>;
}

/** Expands all scalars of the tree that hold text. Keys stay as they are. */
export async function expand(
  tree: unknown,
  source: ExpansionSource,
): Promise<Expanded> {
  const expansion = new Expansion(source);
  const value = await expansion.walk(tree, []);
  return {
    value,
    findings: expansion.findings,
    origins: expansion.origins,
  };
}

class Expansion {
  readonly findings: Finding[] = [];
  readonly origins = new Map<string, string>();
  readonly #source: ExpansionSource;
  readonly #ancestors = new Set<object>();

  constructor(source: ExpansionSource) {
    this.#source = source;
  }

  async walk(value: unknown, path: Path): Promise<unknown> {
    if (typeof value === "string") {
      return value.includes("$") ? await this.#expand(value, path) : value;
    }
    if (typeof value !== "object" || value === null) return value;
    if (this.#ancestors.has(value)) {
      const message = "an alias can't stand inside what its anchor names";
      this.findings.push({ path, message });
      return null;
    }
    this.#ancestors.add(value);
    const expanded = Array.isArray(value)
      ? await this.#walkList(value, path)
      : Object.getPrototypeOf(value) === Object.prototype
      ? await this.#walkMapping(value, path)
      : value;
    this.#ancestors.delete(value);
    return expanded;
  }

  async #walkList(list: readonly unknown[], path: Path): Promise<unknown[]> {
    const items: unknown[] = [];
    for (const [index, item] of list.entries()) {
      items.push(await this.walk(item, [...path, index]));
    }
    return items;
  }

  async #walkMapping(mapping: object, path: Path): Promise<unknown> {
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(mapping)) {
      entries.push([key, await this.walk(item, [...path, key])]);
    }
    return Object.fromEntries(entries);
  }

  async #expand(text: string, path: Path): Promise<string> {
    let expanded = "";
    let end = 0;
    for (const match of text.matchAll(/\$(?:\$|\{([^}]*)(\}?))/g)) {
      expanded += text.slice(end, match.index);
      end = match.index + match[0].length;
      if (match[0] === "$$") {
        expanded += "$";
        continue;
      }
      this.origins.set(formatPath(path), text);
      const [, inside = "", brace = ""] = match;
      const result = brace === ""
        ? "expected } after ${"
        : await this.#resolve(inside);
      if (typeof result === "object") expanded += result.value;
      else this.findings.push({ path, message: result });
    }
    return expanded + text.slice(end);
  }

  /** The value, or the problem's message. */
  async #resolve(inside: string): Promise<{ value: string } | string> {
    if (inside.startsWith("file:")) return await this.#read(inside.slice(5));
    const match = /^([A-Za-z_]\w*)(?::-(.*))?$/s.exec(inside);
    if (match === null) {
      return "expected ${NAME}, ${NAME:-default} or ${file:/path}; a $ itself is written $$";
    }
    const [, name = "", fallback] = match;
    if (fallback?.includes("${")) {
      return "expected a plain default: a ${…} can't stand inside another";
    }
    const value = this.#source.env(name);
    // Empty counts as unset where there is a default, as in a shell.
    if (fallback !== undefined) return { value: value || fallback };
    return value === undefined
      ? `the environment variable ${name} is not set: set it, or write \${${name}:-default}`
      : { value };
  }

  async #read(path: string): Promise<{ value: string } | string> {
    try {
      const text = await this.#source.readFile(path);
      // Editors and `echo` end a file with a line feed that no secret has.
      return { value: text.replace(/\r?\n$/, "") };
    } catch (error) {
      const reason = error instanceof Error ? error.name : "unknown reason";
      return `cannot read the file ${path} (${reason})`;
    }
  }
}
