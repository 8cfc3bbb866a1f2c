/**
 * A YAML text with its positions: where a path stands and how its value is
 * written.
 *
 * `@std/yaml` tells no positions, so npm `yaml` reads the text once more; it is
 * loaded only when there is a problem.
 *
 * @module
 */
import type * as Yaml from "yaml";
import type { Path } from "./problem.ts";

/** A place in the text, from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** How a value is written. */
export type Style = "plain" | "quoted" | "block" | "flow" | "none";

/** What the parser has against the text at one place. */
export interface SyntaxFault extends Position {
  /** A code of npm `yaml`, or `BAD_ALIAS`, `UNKNOWN_TAG`. */
  readonly code: string;
  readonly message: string;
}

/** A plain scalar and where it stands. */
export interface PlainScalar {
  readonly path: Path;
  readonly source: string;
}

/** A parsed text with positions. */
export class YamlSource {
  readonly #yaml: typeof Yaml;
  readonly #lines: Yaml.LineCounter;
  readonly #document: Yaml.Document.Parsed;
  readonly #text: string;

  private constructor(yaml: typeof Yaml, text: string) {
    this.#yaml = yaml;
    this.#text = text;
    this.#lines = new yaml.LineCounter();
    this.#document = yaml.parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      logLevel: "error",
    });
  }

  /** Loads the parser and reads the text; never fails for what the text holds. */
  static async read(text: string): Promise<YamlSource> {
    return new YamlSource(await import("yaml"), text);
  }

  /** The text of a line, from 1. */
  line(number: number): string {
    return this.#text.split(/\r?\n/)[number - 1] ?? "";
  }

  /** Where the path's key or value begins, or the nearest mapping or list around it. */
  position(path: Path, at: "key" | "value" = "value"): Position {
    for (let length = path.length; length > 0; length--) {
      const found = this.#find(path.slice(0, length));
      const { key, value } = found ?? {};
      const wanted = at === "key" && length === path.length
        ? key ?? value
        : value ?? key;
      const offset = wanted?.range?.[0];
      if (offset !== undefined) return this.#positionAt(offset);
    }
    const root = this.#document.contents?.range?.[0];
    return this.#positionAt(root ?? 0);
  }

  /** How the path's value is written. */
  style(path: Path): Style {
    const node = this.#find(path)?.value;
    if (this.#yaml.isCollection(node)) return node.flow ? "flow" : "none";
    if (!this.#yaml.isScalar(node)) return "none";
    switch (node.type) {
      case "PLAIN":
        return "plain";
      case "QUOTE_SINGLE":
      case "QUOTE_DOUBLE":
        return "quoted";
      case "BLOCK_FOLDED":
      case "BLOCK_LITERAL":
        return "block";
      default:
        return "none";
    }
  }

  /** Whether ` #` ends the plain value of the path on its line: YAML takes the rest as a comment. */
  isCut(path: Path): boolean {
    const node = this.#find(path)?.value;
    const end = node?.range?.[1];
    return this.style(path) === "plain" && end !== undefined &&
      /^[ \t]+#/.test(this.#text.slice(end));
  }

  /** The plain scalars among the values. */
  plainScalars(): PlainScalar[] {
    const found: PlainScalar[] = [];
    const walk = (node: unknown, path: Path): void => {
      if (this.#yaml.isMap(node)) {
        for (const { key, value } of node.items) {
          walk(value, [...path, keyText(key)]);
        }
      } else if (this.#yaml.isSeq(node)) {
        node.items.forEach((item, index) => walk(item, [...path, index]));
      } else if (this.#yaml.isScalar(node) && node.type === "PLAIN") {
        found.push({ path, source: node.source ?? "" });
      }
    };
    walk(this.#document.contents, []);
    return found;
  }

  /** Everything that is wrong, in the order of the text. */
  faults(): SyntaxFault[] {
    const faults: { offset: number; code: string; message: string }[] = [];
    for (const { code, message, pos } of this.#document.errors) {
      faults.push({ code, message, offset: pos[0] });
    }
    for (const { code, message, pos } of this.#document.warnings) {
      if (code !== "TAG_RESOLVE_FAILED") continue;
      faults.push({ code: "UNKNOWN_TAG", message, offset: pos[0] });
    }
    this.#yaml.visit(this.#document, {
      Alias: (_key, alias) => {
        if (alias.resolve(this.#document) !== undefined) return;
        const offset = alias.range?.[0] ?? 0;
        faults.push({ code: "BAD_ALIAS", message: "", offset });
      },
    });
    return faults
      .sort((a, b) => a.offset - b.offset)
      .map(({ offset, code, message }) => ({
        code,
        message,
        ...this.#positionAt(offset),
      }));
  }

  #positionAt(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    // An empty text has no lines to count.
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #find(path: Path): Place | undefined {
    let place: Place = { key: undefined, value: this.#document.contents };
    for (const part of path) {
      const next = this.#step(this.#resolve(place.value), part);
      if (next === undefined) return undefined;
      place = next;
    }
    return place;
  }

  #step(node: unknown, part: string | number): Place | undefined {
    if (this.#yaml.isSeq(node)) {
      const item = node.items[Number(part)];
      return this.#yaml.isNode(item)
        ? { key: undefined, value: item }
        : undefined;
    }
    if (!this.#yaml.isMap(node)) return undefined;
    const pair = node.items.findLast(({ key }) => keyText(key) === part);
    if (pair !== undefined) {
      return {
        key: nodeOf(this.#yaml, pair.key),
        value: nodeOf(this.#yaml, pair.value),
      };
    }
    return this.#stepMerged(node, part);
  }

  /** `<<: *base` lends the keys of one or several mappings. */
  #stepMerged(node: Yaml.YAMLMap, part: string | number): Place | undefined {
    for (const { key, value } of node.items) {
      if (keyText(key) !== "<<") continue;
      const merged = this.#resolve(value);
      const maps = this.#yaml.isSeq(merged) ? merged.items : [merged];
      for (const map of maps) {
        const found = this.#step(this.#resolve(map), part);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #resolve(node: unknown): unknown {
    return this.#yaml.isAlias(node) ? node.resolve(this.#document) : node;
  }
}

interface Place {
  readonly key: Yaml.Node | undefined;
  readonly value: Yaml.Node | null | undefined;
}

function nodeOf(yaml: typeof Yaml, value: unknown): Yaml.Node | undefined {
  return yaml.isNode(value) ? value : undefined;
}

function keyText(key: unknown): string {
  return typeof key === "object" && key !== null && "value" in key
    ? String(key.value)
    : String(key);
}
