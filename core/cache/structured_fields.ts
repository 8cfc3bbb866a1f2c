/**
 * Structured Fields (RFC 9651), as far as a dictionary of bare items needs it.
 *
 * @module
 */

/** A bare item, or an inner list that nobody here looks into. */
export type BareItem =
  | { readonly kind: "integer" | "decimal"; readonly value: number }
  | { readonly kind: "string" | "token"; readonly value: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "bytes" | "date" | "display" | "list" };

/** Reads a dictionary; undefined where it is none: all of it is then ignored. Parameters are read and dropped. */
export function parseDictionary(
  text: string,
): ReadonlyMap<string, BareItem> | undefined {
  const reader = new Reader(text);
  const members = new Map<string, BareItem>();
  reader.skipSpaces();
  while (!reader.atEnd) {
    const key = reader.match(KEY);
    if (key === undefined) return undefined;
    let value: BareItem | undefined = { kind: "boolean", value: true };
    if (reader.take("=")) value = readMember(reader);
    if (value === undefined || !skipParameters(reader)) return undefined;
    // The last of several with one key counts, in its place (§4.2.2).
    members.set(key, value);
    reader.skipBlank();
    if (reader.atEnd) return members;
    if (!reader.take(",")) return undefined;
    reader.skipBlank();
    if (reader.atEnd) return undefined;
  }
  return members;
}

const KEY = /[a-z*][a-z0-9_.*-]*/y;
const NUMBER = /-?\d+(?:\.\d+)?/y;
const STRING = /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y;
const TOKEN = /[A-Za-z*][\w!#$%&'*+.^`|~:/-]*/y;
const BYTES = /:[A-Za-z0-9+/=]*:/y;
const DATE = /@-?\d{1,15}(?!\.)/y;
const DISPLAY = /%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*"/y;

function readMember(reader: Reader): BareItem | undefined {
  return reader.peek === "(" ? readInnerList(reader) : readItem(reader);
}

function readInnerList(reader: Reader): BareItem | undefined {
  reader.take("(");
  for (;;) {
    reader.skipSpaces();
    if (reader.take(")")) return { kind: "list" };
    if (readItem(reader) === undefined || !skipParameters(reader)) {
      return undefined;
    }
    if (reader.peek !== " " && reader.peek !== ")") return undefined;
  }
}

function readItem(reader: Reader): BareItem | undefined {
  const { peek } = reader;
  if (peek === '"') {
    const text = reader.match(STRING);
    return text === undefined
      ? undefined
      : { kind: "string", value: text.slice(1, -1).replace(/\\(.)/g, "$1") };
  }
  if (peek === "?") {
    const text = reader.match(/\?[01]/y);
    return text === undefined
      ? undefined
      : { kind: "boolean", value: text === "?1" };
  }
  if (peek === ":") return opaque(reader.match(BYTES), "bytes");
  if (peek === "@") return opaque(reader.match(DATE), "date");
  if (peek === "%") return opaque(reader.match(DISPLAY), "display");
  if (/[\d-]/.test(peek)) return readNumber(reader.match(NUMBER));
  const token = reader.match(TOKEN);
  return token === undefined ? undefined : { kind: "token", value: token };
}

function opaque(
  text: string | undefined,
  kind: "bytes" | "date" | "display",
): BareItem | undefined {
  return text === undefined ? undefined : { kind };
}

function readNumber(text: string | undefined): BareItem | undefined {
  if (text === undefined) return undefined;
  const [whole = "", fraction] = text.replace("-", "").split(".");
  if (fraction === undefined) {
    return whole.length > 15
      ? undefined
      : { kind: "integer", value: Number(text) };
  }
  return whole.length > 12 || fraction.length > 3
    ? undefined
    : { kind: "decimal", value: Number(text) };
}

function skipParameters(reader: Reader): boolean {
  while (reader.take(";")) {
    reader.skipSpaces();
    if (reader.match(KEY) === undefined) return false;
    if (reader.take("=") && readItem(reader) === undefined) return false;
  }
  return true;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text.replace(/ +$/, "");
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The next character, empty at the end. */
  get peek(): string {
    return this.#text[this.#at] ?? "";
  }

  take(character: string): boolean {
    if (this.peek !== character) return false;
    this.#at++;
    return true;
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[0];
  }

  skipSpaces(): void {
    while (this.peek === " ") this.#at++;
  }

  skipBlank(): void {
    while (this.peek === " " || this.peek === "\t") this.#at++;
  }
}
