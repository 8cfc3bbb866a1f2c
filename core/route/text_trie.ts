/**
 * Finds all keys that a text begins or ends with in one pass over it.
 *
 * @module
 */

/** A place that keys lead to; those behind it share the text up to here. */
interface TrieNode<T> {
  /** What comes before it, from the node above on. */
  text: string;
  /** By the first character of their text. */
  readonly children: Map<number, TrieNode<T>>;
  value: T | undefined;
}

/** A radix tree of texts; `backwards` reads them, and what is looked up, from their ends. */
export class TextTrie<T> {
  readonly #root: TrieNode<T> = node("");
  readonly #backwards: boolean;

  constructor(options: { readonly backwards: boolean }) {
    this.#backwards = options.backwards;
  }

  /** The value of a text; made by `make` where it has none yet. */
  at(text: string, make: () => T): T {
    const key = this.#backwards ? reverse(text) : text;
    let place = this.#root;
    let done = 0;
    while (done < key.length) {
      const child = place.children.get(key.charCodeAt(done));
      if (child === undefined) {
        const added = node<T>(key.slice(done));
        place.children.set(key.charCodeAt(done), added);
        place = added;
        break;
      }
      const shared = sharedLength(child.text, key, done);
      place = shared === child.text.length
        ? child
        : split(place, child, shared);
      done += shared;
    }
    return place.value ??= make();
  }

  /** Calls back with the value of each key that `subject` begins (ends) with, and with how much of it is left. */
  each<C>(
    subject: string,
    context: C,
    found: (value: T, left: number, context: C, subject: string) => void,
  ): void {
    const last = subject.length - 1;
    let place = this.#root;
    let done = 0;
    for (;;) {
      if (place.value !== undefined) {
        found(place.value, subject.length - done, context, subject);
      }
      if (done === subject.length) return;
      const at = this.#backwards ? last - done : done;
      const child = place.children.get(subject.charCodeAt(at));
      if (child === undefined) return;
      const { text } = child;
      for (let i = 1; i < text.length; i++) {
        const next = this.#backwards ? at - i : at + i;
        // Beyond the subject there is NaN, which no character is.
        if (subject.charCodeAt(next) !== text.charCodeAt(i)) return;
      }
      place = child;
      done += text.length;
    }
  }
}

function node<T>(text: string): TrieNode<T> {
  return { text, children: new Map(), value: undefined };
}

/** A new node between a node and its child, `length` characters above the child's end of text. */
function split<T>(
  above: TrieNode<T>,
  child: TrieNode<T>,
  length: number,
): TrieNode<T> {
  const middle = node<T>(child.text.slice(0, length));
  above.children.set(middle.text.charCodeAt(0), middle);
  child.text = child.text.slice(length);
  middle.children.set(child.text.charCodeAt(0), child);
  return middle;
}

function sharedLength(text: string, key: string, from: number): number {
  let i = 1;
  while (
    i < text.length && text.charCodeAt(i) === key.charCodeAt(from + i)
  ) i++;
  return i;
}

/** By UTF-16 units, as a trie reads them. */
function reverse(text: string): string {
  return text.split("").reverse().join("");
}
