/**
 * Finds all keys that a text contains in one pass over it.
 *
 * @module
 */
import { MIN_PART } from "../conditions/index_key.ts";

interface Part<T> {
  readonly text: string;
  readonly value: T;
}

/** Buckets of parts by the hash of their first characters: a power of two. */
const BUCKETS = 1_024;

/** Texts of {@linkcode MIN_PART} characters or more, looked up by the first of them at every place of a text. */
export class TextParts<T> {
  readonly #buckets: (Part<T>[] | undefined)[] = Array.from(
    { length: BUCKETS },
    () => undefined,
  );

  /** The value of a text; made by `make` where it has none yet. Throws a `RangeError` for one that is too short. */
  at(text: string, make: () => T): T {
    if (text.length < MIN_PART) {
      throw new RangeError(
        `A part must have ${MIN_PART} characters: current value is ${
          JSON.stringify(text)
        }`,
      );
    }
    const parts = this.#buckets[bucketOf(text, 0)] ??= [];
    const known = parts.find((part) => part.text === text);
    if (known !== undefined) return known.value;
    const value = make();
    parts.push({ text, value });
    return value;
  }

  /** Calls back with the value of each key that `subject` contains, at each of its places. */
  each<C>(
    subject: string,
    context: C,
    found: (value: T, context: C) => void,
  ): void {
    for (let i = 0; i <= subject.length - MIN_PART; i++) {
      const parts = this.#buckets[bucketOf(subject, i)];
      if (parts === undefined) continue;
      for (const { text, value } of parts) {
        if (subject.startsWith(text, i)) found(value, context);
      }
    }
  }
}

/** Of the three characters from `at` on. */
function bucketOf(text: string, at: number): number {
  const hash = text.charCodeAt(at) * 961 + text.charCodeAt(at + 1) * 31 +
    text.charCodeAt(at + 2);
  return (hash ^ (hash >>> 10)) & (BUCKETS - 1);
}
