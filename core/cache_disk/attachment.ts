/**
 * How a store gets at its folder: shard by shard, again and again while another
 * process has one or the disk fails. What is purged meanwhile in a shard that
 * can't be had is noted for whoever reads it next.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { Clock, Log } from "../plugin.ts";
import type { Shard } from "./disk_shard.ts";

/** Purges that are kept for a shard that can't be had yet; with more of them all of it goes. */
const MAX_KEPT_PURGES = 1_000;

/** Whose folder it is. */
export interface AttachmentOptions {
  readonly path: string;
  readonly shards: readonly Shard[];
  readonly log: Log;
  readonly clock: Pick<Clock, "after" | "now">;
  /** Milliseconds between two tries. */
  readonly retry: number;
  /** Entries that can be found. */
  readonly entries: () => number;
  /** More can be found than before. */
  readonly opened: () => void;
  /** Something could not be done; `what` says what. */
  readonly complain: (what: string, error: unknown) => void;
}

/** A store's hold on its folder. */
export class Attachment {
  readonly #options: AttachmentOptions;
  /** Shards that are being read; false where another process has one. */
  readonly #opening = new Map<Shard, Promise<boolean>>();
  /** Purges for shards that can neither be read nor written to. */
  readonly #kept = new Map<Shard, Purge[]>();
  /** Another process has the folder; the log knows. */
  #waiting = false;
  /** A shard was tried and can't be had for now. */
  #held = false;
  #attached: Promise<void> | undefined;
  #free: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  constructor(options: AttachmentOptions) {
    this.#options = options;
  }

  /** Shards that are in use. */
  get ready(): number {
    let ready = 0;
    for (const shard of this.#options.shards) {
      if (shard.ready) ready++;
    }
    return ready;
  }

  /** As `DiskStore.attach`. */
  attach(free: Promise<void> | undefined): Promise<void> {
    this.#attached ??= this.#attach(free);
    return this.#attached;
  }

  async #attach(free: Promise<void> | undefined): Promise<void> {
    this.#free = free;
    await free;
    await this.#openShards();
  }

  async #openShards(): Promise<void> {
    const { path, log, clock, shards, entries, opened } = this.#options;
    const begun = clock.now();
    const before = this.ready;
    this.#held = false;
    for (const shard of shards) {
      if (this.#closed) return;
      if (!await this.#open(shard)) break;
    }
    const { ready } = this;
    if (ready > before) {
      log.info("The cache on disk is in use", {
        path,
        shards: ready,
        entries: entries(),
        milliseconds: Math.round(clock.now() - begun),
      });
      opened();
    }
    if (this.#closed) return;
    if (ready === shards.length) this.#waiting = false;
    else this.retryLater();
  }

  /** Reads a shard, unless it is in use and stands; false where that can't be had now. Never rejects. */
  #open(shard: Shard): Promise<boolean> {
    if (this.#closed) return Promise.resolve(shard.ready);
    let opening = this.#opening.get(shard);
    if (opening === undefined) {
      opening = this.#tryOpen(shard)
        .finally(() => this.#opening.delete(shard));
      this.#opening.set(shard, opening);
    }
    return opening;
  }

  async #tryOpen(shard: Shard): Promise<boolean> {
    const { path, log, complain } = this.#options;
    try {
      if (shard.ready && await shard.stands()) return true;
      if (await shard.open()) {
        await this.#purgeKept(shard);
        return true;
      }
      this.#held = true;
      if (!this.#waiting) {
        log.info("Another process has the cache on disk: waiting for it", {
          path,
        });
      }
      this.#waiting = true;
    } catch (error) {
      this.#held = true;
      complain("open", error);
    }
    return false;
  }

  /** Tries the shards that are not in use, a while later. */
  retryLater(): void {
    if (this.#cancelRetry !== undefined || this.#closed) return;
    const { clock, retry } = this.#options;
    this.#cancelRetry = clock.after(retry, () => {
      this.#cancelRetry = undefined;
      this.#attached = this.#openShards();
    });
  }

  /** Purges a shard that is not in use: reads it first, or has whoever reads it next forget what is meant. Never rejects. */
  async purge(shard: Shard, purge: Purge): Promise<number> {
    if (this.#closed) return 0;
    await this.#free;
    if (!this.#held && await this.#open(shard)) return await shard.purge(purge);
    try {
      await shard.notePurge(purge);
    } catch (error) {
      this.#options.complain("note a purge", error);
      this.#keepPurge(shard, purge);
    }
    return 0;
  }

  #keepPurge(shard: Shard, purge: Purge): void {
    const kept = this.#kept.get(shard);
    if (kept === undefined) this.#kept.set(shard, [purge]);
    else if (kept.length < MAX_KEPT_PURGES) kept.push(purge);
    else this.#kept.set(shard, [{ kind: "all" }]);
  }

  async #purgeKept(shard: Shard): Promise<void> {
    const purges = this.#kept.get(shard) ?? [];
    this.#kept.delete(shard);
    for (const purge of purges) await shard.purge(purge);
  }

  /** Tries no more; resolves once nothing is being read. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry?.();
    await this.#attached;
    await Promise.all(this.#opening.values());
  }
}
