/**
 * A fetch of this worker's for a key of another one's: what it brings goes
 * there, and is read there by all who wait for it.
 *
 * @module
 */
import type { Fetching, FetchOwner, FetchResult } from "../cache/cache.ts";
import type { StoredEntry, StoredHead, StoreWriter } from "../cache/store.ts";
import type { BodyReader } from "../message/body.ts";
import type { Asker, Listener } from "./asker.ts";
import { markOf, STREAM_WINDOW, type WireSettle } from "./protocol.ts";
import { openInflow } from "./remote_entry.ts";
import { buffersOf } from "./slab.ts";

/** What a lead is made of. */
export interface RemoteFetchParts {
  readonly key: string;
  /** Given where others may wait for it. */
  readonly variant: string | undefined;
  readonly doomed: boolean;
  readonly asker: Asker;
  /** The claim's number. */
  readonly id: number;
}

/** A lead: given back when it is settled, or when this worker is gone. */
export class RemoteFetch implements Fetching {
  readonly key: string;
  readonly variant: string | undefined;
  doomed: boolean;
  readonly owner: FetchOwner;
  readonly #asker: Asker;
  readonly #id: number;
  #settled = false;
  /** Whether it lasts until the response's writer is done. */
  #writer: RemoteWriter | undefined;

  constructor({ key, variant, doomed, asker, id }: RemoteFetchParts) {
    this.key = key;
    this.variant = variant;
    this.doomed = doomed;
    this.#asker = asker;
    this.#id = id;
    this.owner = {
      begin: (head, size, replaced) => this.#begin(head, size, replaced),
      pass: () => asker.say({ ask: "pass", id }),
    };
    const listener: Listener = {
      doomed: () => this.doomed = true,
      taken: (count) => this.#writer?.taken(count),
      stop: () => this.#writer?.stop(),
      hung: () => this.#writer?.giveUp(),
      lost: () => this.#writer?.stop(),
    };
    asker.listen(id, listener);
  }

  #begin(
    head: StoredHead,
    size: number | undefined,
    replaced: readonly StoredEntry[],
  ): StoreWriter | undefined {
    if (this.#asker.memory === undefined) return undefined;
    this.#asker.say({
      ask: "fill",
      id: this.#id,
      head,
      size,
      replaced: replaced.map((entry) => markOf(entry.head)),
    });
    this.#writer = new RemoteWriter(
      this.#asker,
      this.#id,
      () => this.#asker.forget(this.#id),
    );
    return this.#writer;
  }

  settle(result: FetchResult): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#asker.say({
      ask: "settle",
      id: this.#id,
      result: this.#wire(result),
    });
    if (this.#writer === undefined) this.#asker.forget(this.#id);
  }

  #wire(result: FetchResult): WireSettle {
    switch (result.kind) {
      case "entry": {
        const { key, head } = result.entry;
        return { kind: "entry", name: { key, mark: markOf(head) } };
      }
      case "failed": {
        const { code, message } = result.error;
        return { kind: "failed", code, message };
      }
      default:
        return { kind: result.kind };
    }
  }

  giveUp(reason: "uncacheable" | "again"): void {
    this.settle({ kind: reason });
  }
}

/** Sends a body to its owner. */
class RemoteWriter implements StoreWriter {
  written = 0;
  readonly #asker: Asker;
  readonly #id: number;
  readonly #over: () => void;
  /** Bytes that may go before the owner has taken some. */
  #room = STREAM_WINDOW;
  #stopped = false;
  #ended = false;
  #left = false;
  #wake: ((taken: boolean) => void) | undefined;

  constructor(asker: Asker, id: number, over: () => void) {
    this.#asker = asker;
    this.#id = id;
    this.#over = over;
  }

  append(bytes: Uint8Array): boolean | Promise<boolean> {
    if (this.#stopped || this.#ended) return false;
    const pieces = this.#asker.pack(bytes);
    this.written += bytes.length;
    this.#room -= bytes.length;
    this.#asker.say(
      { ask: "bytes", id: this.#id, pieces },
      buffersOf(pieces),
    );
    if (this.#room > 0) return true;
    // Who waits for an owner that hangs is to notice.
    this.#asker.ask("ping", {});
    return new Promise((resolve) => this.#wake = resolve);
  }

  /** The owner has taken so many bytes. */
  taken(count: number): void {
    this.#room += count;
    if (this.#room > 0) this.#signal(true);
  }

  /** The owner wants no more, or is gone. */
  stop(): void {
    this.#stopped = true;
    this.#signal(false);
  }

  /** The owner does not answer: our clients go on without it. */
  giveUp(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#asker.say({ ask: "break", id: this.#id });
    }
    this.stop();
  }

  #signal(taken: boolean): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.(taken);
  }

  read(start: number, end: number): BodyReader {
    return openInflow(this.#asker, (id) => ({
      ask: "reread",
      id,
      claim: this.#id,
      start,
      end,
    }));
  }

  /** Whether it is stored is the owner's business: nobody here waits for that. */
  commit(): undefined {
    if (this.#ended) return;
    this.#ended = true;
    this.#asker.say({ ask: "end", id: this.#id });
  }

  abort(): void {
    if (this.#left) return;
    this.#left = true;
    this.giveUp();
    this.#over();
    this.#asker.say({ ask: "leave", id: this.#id });
  }
}
