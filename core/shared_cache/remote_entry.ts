/**
 * A stored response of another worker's.
 *
 * @module
 */
import type { BodyReader } from "../message/body.ts";
import type { StoredEntry, StoredHead } from "../cache/store.ts";
import { type Asker, ownerLost } from "./asker.ts";
import { Inflow } from "./inflow.ts";
import {
  type Ask,
  type EntryName,
  markOf,
  type WireEntry,
} from "./protocol.ts";

/** An entry; its body is here where it is small, else it comes from its owner. */
export class RemoteEntry implements StoredEntry {
  readonly key: string;
  readonly head: StoredHead;
  readonly size: number;
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly owner: Asker;
  readonly #ref: number;
  /** Lookups that it answered. */
  uses = 0;
  #mark: string | undefined;

  constructor(
    key: string,
    { head, size, ref }: Omit<WireEntry, "bytes">,
    bytes: Uint8Array<ArrayBuffer> | undefined,
    owner: Asker,
  ) {
    this.key = key;
    this.head = head;
    this.size = size;
    this.bytes = bytes;
    this.owner = owner;
    this.#ref = ref;
  }

  /** By what its owner knows it. */
  get name(): EntryName {
    this.#mark ??= markOf(this.head);
    return { key: this.key, mark: this.#mark };
  }

  open(start: number, end: number): BodyReader {
    if (this.bytes !== undefined) {
      return new BytesReader(this.bytes, start, Math.min(end, this.size));
    }
    const { name } = this;
    return openInflow(this.owner, (id) => ({
      ask: "open",
      id,
      name,
      ref: this.#ref,
      start,
      end,
    }));
  }
}

/** Asks for a body. */
export function openInflow(
  owner: Asker,
  askFor: (id: number) => Ask,
): Inflow {
  const id = owner.number();
  const inflow = inflowOf(owner, id);
  if (owner.lastMemory === undefined) {
    owner.forget(id);
    inflow.fail(ownerLost());
  } else owner.say(askFor(id));
  return inflow;
}

/** The body that comes under a number. */
export function inflowOf(owner: Asker, id: number): Inflow {
  const inflow = new Inflow({
    more: (count) => owner.say({ ask: "more", id, count }),
    stop: () => {
      owner.forget(id);
      owner.say({ ask: "leave", id });
    },
  });
  owner.listen(id, {
    bytes(pieces, last) {
      inflow.take(pieces, last);
      if (last) owner.forget(id);
    },
    broken(error) {
      owner.forget(id);
      inflow.fail(error);
    },
    lost: () => inflow.fail(ownerLost()),
  });
  return inflow;
}

/** Reads bytes that many read. */
class BytesReader implements BodyReader {
  readonly bytes: Uint8Array;
  start = 0;
  end = 0;
  last = false;
  readonly headroom = 0;
  readonly tailroom = 0;
  readonly #from: number;
  readonly #to: number;

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.bytes = bytes;
    this.#from = from;
    this.#to = to;
  }

  advance(): boolean {
    if (this.last) {
      this.start = this.end = 0;
      return true;
    }
    this.start = this.#from;
    this.end = Math.max(this.#from, this.#to);
    this.last = true;
    return true;
  }

  next(): Promise<boolean> {
    return Promise.resolve(
      !this.last && this.advance() && this.end > this.start,
    );
  }

  cancel(): void {
    this.last = true;
  }
}
