/**
 * Field lines of an HTTP/1.1 head: ranges of its bytes and a list of edits.
 * Nothing is decoded before somebody asks, nothing is copied to be changed.
 *
 * @module
 */
import {
  checkFieldChange,
  checkFieldValue,
  looksLikeAny,
  refuseSecondHost,
  releasedError,
} from "../message/field_rules.ts";
import type { Fields } from "../message/fields.ts";
import { ListFields } from "../message/list_fields.ts";
import { TOKEN } from "./chars.ts";
import {
  FLAGS,
  type HeadIndex,
  HIDDEN,
  KNOWN,
  NAME_END,
  NAME_START,
  STRIDE,
  VALUE_END,
  VALUE_START,
} from "./head_index.ts";
import {
  type KnownMask,
  knownMask,
  knownName,
  UNKNOWN,
} from "./known_fields.ts";
import { decodeAgain, decodeLatin1 } from "./text.ts";

/** Lists of names come from constants: each has its mask for good. */
const MASKS = new WeakMap<readonly string[], KnownMask>();

function maskOf(names: readonly string[]): KnownMask {
  let mask = MASKS.get(names);
  if (mask === undefined) MASKS.set(names, mask = knownMask(names));
  return mask;
}

/**
 * The fields of one head. They and all their copies end with `release` of any
 * of them, or as the index is reset, whichever is first; but those that were
 * kept before.
 */
export class Http1Fields implements Fields {
  #bytes: Uint8Array;
  #index: HeadIndex;
  #generation: number;
  #kept = false;
  /** A bit for each field that was removed, 32 in a number. */
  #removed: number[] | undefined;
  #added: ListFields | undefined;

  /** The fields of the head that `index` has found in `bytes`. */
  constructor(bytes: Uint8Array, index: HeadIndex) {
    this.#bytes = bytes;
    this.#index = index;
    this.#generation = index.generation;
  }

  /** The bytes that the head lies in. Throws once it is released. */
  get bytes(): Uint8Array {
    this.#check();
    return this.#bytes;
  }

  /** Where everything lies in `bytes`. Throws once it is released. */
  get index(): HeadIndex {
    this.#check();
    return this.#index;
  }

  /** Lines that were added, behind those received. */
  get added(): ListFields | undefined {
    return this.#added;
  }

  /** Whether a received field, by its number in the index, was removed. */
  isRemoved(field: number): boolean {
    const removed = this.#removed;
    return removed !== undefined &&
      (removed[field >>> 5]! >>> (field & 31) & 1) !== 0;
  }

  get(name: string): string | null {
    const lowerName = name.toLowerCase();
    const known = knownName(lowerName);
    let joined: string | null = null;
    for (
      let field = this.#find(lowerName, known, 0);
      field >= 0;
      field = this.#find(lowerName, known, field + 1)
    ) {
      const value = this.#value(field);
      joined = joined === null ? value : `${joined}, ${value}`;
    }
    const added = this.#added?.get(lowerName) ?? null;
    if (joined === null || added === null) return joined ?? added;
    return `${joined}, ${added}`;
  }

  getAll(name: string): string[] {
    const lowerName = name.toLowerCase();
    const known = knownName(lowerName);
    const values: string[] = [];
    for (
      let field = this.#find(lowerName, known, 0);
      field >= 0;
      field = this.#find(lowerName, known, field + 1)
    ) {
      values.push(this.#value(field));
    }
    if (this.#added !== undefined) {
      values.push(...this.#added.getAll(lowerName));
    }
    return values;
  }

  first(name: string): string | undefined {
    const field = this.#first(name);
    return field < 0 ? this.#added?.first(name) : this.#value(field);
  }

  has(name: string): boolean {
    return this.#first(name) >= 0 || this.#added?.has(name) === true;
  }

  set(name: string, value: string): void {
    const lowerName = checkFieldChange(name);
    const checked = checkFieldValue(lowerName, value);
    this.#remove(lowerName);
    this.#add(name, checked, lowerName);
  }

  append(name: string, value: string): void {
    const lowerName = checkFieldChange(name);
    refuseSecondHost(lowerName, this.has(lowerName));
    this.#add(name, checkFieldValue(lowerName, value), lowerName);
  }

  delete(name: string): void {
    this.#remove(checkFieldChange(name));
  }

  put(name: string, value: string): void {
    const lowerName = name.toLowerCase();
    this.#remove(lowerName);
    this.#add(name, value, lowerName);
  }

  remove(name: string): void {
    this.#remove(name.toLowerCase());
  }

  #remove(lowerName: string): void {
    const known = knownName(lowerName);
    for (
      let field = this.#find(lowerName, known, 0);
      field >= 0;
      field = this.#find(lowerName, known, field + 1)
    ) {
      this.#hide(field);
    }
    this.#added?.remove(lowerName);
  }

  /** Removes a received field. */
  #hide(field: number): void {
    this.#removed ??= new Array((this.#index.count + 31) >>> 5).fill(0);
    this.#removed[field >>> 5]! |= 1 << (field & 31);
  }

  removeEach(names: readonly string[]): void {
    this.#check();
    const mask = maskOf(names);
    if (this.#index.hasAny(mask) || this.#added !== undefined) {
      for (const name of names) this.remove(name);
    }
  }

  removeLookalikes(names: readonly string[]): void {
    this.#check();
    if (this.#index.lookalikes) {
      const { ranges, count } = this.#index;
      for (let field = 0; field < count; field++) {
        const record = field * STRIDE;
        if (ranges[record + KNOWN] !== UNKNOWN) continue;
        const name = this.text(
          ranges[record + NAME_START]!,
          ranges[record + NAME_END]!,
        );
        if (looksLikeAny(name.toLowerCase(), names)) this.#hide(field);
      }
    }
    this.#added?.removeLookalikes(names);
  }

  copy(): Http1Fields {
    this.#check();
    const copy = new Http1Fields(this.#bytes, this.#index);
    copy.#kept = this.#kept;
    copy.#removed = this.#removed?.slice();
    copy.#added = this.#added?.copy();
    return copy;
  }

  keep(): void {
    this.#check();
    if (this.#kept) return;
    const { origin, fieldsEnd } = this.#index;
    this.#bytes = this.#bytes.slice(origin, fieldsEnd);
    this.#index = this.#index.detach();
    this.#generation = this.#index.generation;
    this.#kept = true;
  }

  release(): void {
    // Once only: by a second time the index may be another message's.
    if (this.#kept || this.#generation !== this.#index.generation) return;
    this.#index.invalidate();
  }

  /** The text of a range of the head's bytes. Throws once it is released. */
  text(start: number, end: number): string {
    this.#check();
    return decodeLatin1(this.#bytes, start, end);
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (let field = 0; field < this.index.count; field++) {
      if (!this.#isShown(field)) continue;
      const record = field * STRIDE;
      const { ranges } = this.#index;
      const name = this.text(
        ranges[record + NAME_START]!,
        ranges[record + NAME_END]!,
      );
      yield [name, this.#value(field)];
    }
    if (this.#added === undefined) return;
    for (const entry of this.#added) {
      this.#check();
      yield entry;
    }
  }

  #check(): void {
    if (this.#generation !== this.#index.generation) throw releasedError();
  }

  #add(name: string, value: string, lowerName: string): void {
    this.#check();
    (this.#added ??= new ListFields()).add(name, value, lowerName);
  }

  #isShown(field: number): boolean {
    const flags = this.#index.ranges[field * STRIDE + FLAGS]!;
    return (flags & HIDDEN) === 0 && !this.isRemoved(field);
  }

  /** As `#find`, from the first field on and of a name in any case. */
  #first(name: string): number {
    // Most ask in lower case for a name that has a number: it needs no other one.
    const known = knownName(name);
    if (known !== UNKNOWN) return this.#find(name, known, 0);
    const lowerName = name.toLowerCase();
    return this.#find(lowerName, knownName(lowerName), 0);
  }

  /** The first field of the name from the field `from` on, -1 where there is none. Throws once they are released. */
  #find(lowerName: string, known: number, from: number): number {
    this.#check();
    if (known !== UNKNOWN && !this.#index.has(known)) return -1;
    for (let field = from; field < this.#index.count; field++) {
      if (this.#isNamed(field, lowerName, known)) return field;
    }
    return -1;
  }

  #isNamed(field: number, lowerName: string, known: number): boolean {
    const { ranges } = this.#index;
    const record = field * STRIDE;
    if (ranges[record + KNOWN] !== known) return false;
    if (known === UNKNOWN) {
      const start = ranges[record + NAME_START]!;
      if (ranges[record + NAME_END]! - start !== lowerName.length) return false;
      for (let i = 0; i < lowerName.length; i++) {
        const byte = TOKEN[this.#bytes[start + i]!]!;
        if (byte !== lowerName.charCodeAt(i)) return false;
      }
    }
    return this.#isShown(field);
  }

  #value(field: number): string {
    this.#check();
    const index = this.#index;
    const { ranges } = index;
    const record = field * STRIDE;
    const values = index.values ??= [];
    return values[field] = decodeAgain(
      this.#bytes,
      ranges[record + VALUE_START]!,
      ranges[record + VALUE_END]!,
      values[field],
    );
  }
}
