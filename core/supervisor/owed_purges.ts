/**
 * Purges that a worker could not be told of by the one that was asked for them:
 * it is not there, or does not answer. Whoever takes its place may find what is
 * meant on its disk. They lie with the supervisor, which outlives all workers,
 * until the worker has done them; should the process end before, the disk has
 * them in its notes (`cache_disk/others_purges.ts`).
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";

/** Purges that are kept for a worker: of more than these nothing is left but all. */
const MAX_OWED = 256;

/** Tells a worker what it is to forget. */
export type TellPurge = (id: number, purge: Purge) => void;

/** Those of all workers. */
export class OwedPurges {
  /** By worker, each by its number. */
  readonly #owed = new Map<number, Map<number, Purge>>();
  readonly #there = new Map<number, TellPurge>();
  #ids = 0;

  /** A worker is there: it is told of what is owed to it, now and from now on. */
  join(worker: number, tell: TellPurge): void {
    this.#there.set(worker, tell);
    for (const [id, purge] of this.#owed.get(worker) ?? []) tell(id, purge);
  }

  /** A worker is gone; what it has not done the next one is told of. */
  leave(worker: number): void {
    this.#there.delete(worker);
  }

  /** A worker is to forget this as soon as it can. */
  owe(worker: number, purge: Purge): void {
    let owed = this.#owed.get(worker);
    if (owed === undefined) this.#owed.set(worker, owed = new Map());
    let owedPurge = purge;
    if (owed.size >= MAX_OWED) {
      owed.clear();
      owedPurge = { kind: "all" };
    }
    const id = ++this.#ids;
    owed.set(id, owedPurge);
    this.#there.get(worker)?.(id, owedPurge);
  }

  /** A worker has done it. */
  paid(worker: number, id: number): void {
    this.#owed.get(worker)?.delete(id);
  }
}
