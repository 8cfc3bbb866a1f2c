/**
 * Copies of what other workers own: small objects that are asked for often are
 * answered without a word to their owner, as long as its memory says that they
 * are current.
 *
 * @module
 */
import { type Queue, type Queued, S3Fifo } from "../cache/s3_fifo.ts";
import { textKey } from "../cache/text_key.ts";
import type { Asker } from "./asker.ts";
import type { RemoteEntry } from "./remote_entry.ts";

/** Bytes that a copy takes beside its text and bodies: objects and map slots. */
const OVERHEAD = 800;
/** Bytes of each field line beside its text. */
const LINE_OVERHEAD = 48;

/** All entries of a key, as they were at a version. */
export interface Found {
  readonly entries: readonly RemoteEntry[];
  readonly version: number;
}

class Copy implements Queued {
  readonly key: string;
  readonly found: Found;
  readonly owner: Asker;
  readonly slot: number;
  size: number;
  readonly identity: number;
  uses = 0;
  queue: Queue<this> | undefined;
  before: this | undefined;
  behind: this | undefined;

  constructor(key: string, found: Found, owner: Asker, slot: number) {
    this.key = key;
    this.found = found;
    this.owner = owner;
    this.slot = slot;
    this.size = weigh(key, found.entries);
    this.identity = textKey(key);
  }

  /** Whether nothing under its key has changed since, as far as anybody knows. */
  get isCurrent(): boolean {
    return this.owner.lastMemory?.versionAt(this.slot) === this.found.version;
  }
}

function weigh(key: string, entries: readonly RemoteEntry[]): number {
  let bytes = OVERHEAD + 2 * key.length;
  for (const { head, size } of entries) {
    bytes += size;
    for (const lines of [head.fields, head.request]) {
      for (const [name, value] of lines) {
        bytes += LINE_OVERHEAD + name.length + value.length;
      }
    }
  }
  return bytes;
}

/** Copies, within a bound of bytes. */
export class Copies {
  readonly capacity: number;
  readonly #byKey = new Map<string, Copy>();
  readonly #queues: S3Fifo<Copy>;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#queues = new S3Fifo(capacity);
  }

  /** How many keys have a copy, current or not. */
  get size(): number {
    return this.#byKey.size;
  }

  get bytes(): number {
    return this.#queues.bytes;
  }

  /** What is known of a key, where that is current. */
  get(key: string): Found | undefined {
    const copy = this.#byKey.get(key);
    if (copy === undefined) return undefined;
    if (copy.isCurrent) return copy.found;
    this.#drop(copy);
    return undefined;
  }

  /** It answered a request. */
  used(key: string): void {
    const copy = this.#byKey.get(key);
    if (copy !== undefined) this.#queues.use(copy);
  }

  /** Keeps what an owner told, where it fits: all of it, with all bodies. */
  add(key: string, found: Found, owner: Asker, slot: number): void {
    const old = this.#byKey.get(key);
    if (old !== undefined) this.#drop(old);
    const copy = new Copy(key, found, owner, slot);
    if (copy.size > this.capacity / 8) return;
    this.#byKey.set(key, copy);
    this.#queues.add(copy);
    for (
      let evicted = this.#queues.evict(0);
      evicted !== undefined;
      evicted = this.#queues.evict(0)
    ) this.#byKey.delete(evicted.key);
  }

  /** Forgets all of an owner that is gone. */
  dropOf(owner: Asker): void {
    for (const copy of this.#byKey.values()) {
      if (copy.owner === owner) this.#drop(copy);
    }
  }

  #drop(copy: Copy): void {
    this.#queues.remove(copy);
    this.#byKey.delete(copy.key);
  }
}
