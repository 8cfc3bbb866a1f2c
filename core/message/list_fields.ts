/**
 * Field lines as a plain list: of responses that handlers or Headrace make, of
 * HTTP/2, and the edits of HTTP/1.1's.
 *
 * @module
 */
import {
  checkFieldChange,
  checkFieldValue,
  looksLikeAny,
  refuseSecondHost,
  releasedError,
} from "./field_rules.ts";
import type { Fields } from "./fields.ts";

/** A list of field lines. Its copies are independent, also in their release. */
export class ListFields implements Fields {
  #names: string[] = [];
  #lowerNames: string[] = [];
  #values: string[] = [];
  #kept = false;
  #released = false;

  /** Takes names and values that are trusted: `append` and `set` are the ones that check. */
  constructor(entries: Iterable<readonly [string, string]> = []) {
    for (const [name, value] of entries) this.add(name, value);
  }

  /** Field lines. */
  get size(): number {
    if (this.#released) throw releasedError();
    return this.#names.length;
  }

  /** The name of a line, as it was given. */
  nameAt(line: number): string {
    return this.#names[line]!;
  }

  /** The name of a line, in lower case. */
  lowerNameAt(line: number): string {
    return this.#lowerNames[line]!;
  }

  /** The value of a line. */
  valueAt(line: number): string {
    return this.#values[line]!;
  }

  get(name: string): string | null {
    let joined: string | null = null;
    for (
      let line = this.#find(name, 0);
      line >= 0;
      line = this.#find(name, line + 1)
    ) {
      const value = this.#values[line]!;
      joined = joined === null ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  getAll(name: string): string[] {
    const values: string[] = [];
    for (
      let line = this.#find(name, 0);
      line >= 0;
      line = this.#find(name, line + 1)
    ) {
      values.push(this.#values[line]!);
    }
    return values;
  }

  first(name: string): string | undefined {
    const line = this.#find(name, 0);
    return line < 0 ? undefined : this.#values[line];
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  set(name: string, value: string): void {
    const lowerName = checkFieldChange(name);
    const checked = checkFieldValue(lowerName, value);
    this.remove(lowerName);
    this.add(name, checked, lowerName);
  }

  append(name: string, value: string): void {
    const lowerName = checkFieldChange(name);
    refuseSecondHost(lowerName, this.has(lowerName));
    this.add(name, checkFieldValue(lowerName, value), lowerName);
  }

  delete(name: string): void {
    this.remove(checkFieldChange(name));
  }

  put(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  /** Adds a line behind the others; name and value are trusted. */
  add(name: string, value: string, lowerName = name.toLowerCase()): void {
    if (this.#released) throw releasedError();
    this.#names.push(name);
    this.#lowerNames.push(lowerName);
    this.#values.push(value);
  }

  removeEach(names: readonly string[]): void {
    for (const name of names) this.remove(name);
  }

  removeLookalikes(names: readonly string[]): void {
    const lookalikes = new Set(
      this.#lowerNames.filter((name) => looksLikeAny(name, names)),
    );
    for (const name of lookalikes) this.remove(name);
  }

  remove(name: string): void {
    if (this.#find(name, 0) < 0) return;
    const lowerName = name.toLowerCase();
    let kept = 0;
    for (let line = 0; line < this.#names.length; line++) {
      if (this.#lowerNames[line] === lowerName) continue;
      this.#names[kept] = this.#names[line]!;
      this.#lowerNames[kept] = this.#lowerNames[line]!;
      this.#values[kept] = this.#values[line]!;
      kept++;
    }
    this.#names.length = kept;
    this.#lowerNames.length = kept;
    this.#values.length = kept;
  }

  copy(): ListFields {
    if (this.#released) throw releasedError();
    const copy = new ListFields();
    copy.#names = this.#names.slice();
    copy.#lowerNames = this.#lowerNames.slice();
    copy.#values = this.#values.slice();
    return copy;
  }

  keep(): void {
    this.#kept = true;
  }

  release(): void {
    if (!this.#kept) this.#released = true;
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (let line = 0; line < this.size; line++) {
      yield [this.#names[line]!, this.#values[line]!];
    }
  }

  /** The first line of the name from the line `from` on, -1 where there is none. */
  #find(name: string, from: number): number {
    if (this.#released) throw releasedError();
    if (from >= this.#lowerNames.length) return -1;
    return this.#lowerNames.indexOf(name.toLowerCase(), from);
  }
}
