/**
 * One cache over several workers: each key has one owner among them, which
 * stores it and says who fetches it; the others ask.
 *
 * @module
 */
import { Cache, Fetch, type FetchResult } from "../cache/cache.ts";
import type { Claim, ClaimRequest, Elsewhere } from "../cache/elsewhere.ts";
import { ownerOf, shardOf } from "../cache/shard.ts";
import { type CacheStore, NO_ENTRIES, type Purge } from "../cache/store.ts";
import { asProxyError } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import type { Log } from "../plugin.ts";
import { Asker, errorOf } from "./asker.ts";
import { Copies } from "./copies.ts";
import { Owner } from "./owner.ts";
import { OwnerMemory } from "./owner_memory.ts";
import { Pins } from "./pins.ts";
import type { Message, WireResult } from "./protocol.ts";
import { RemoteEntry } from "./remote_entry.ts";
import { RemoteFetch } from "./remote_fetch.ts";
import { RemoteFill } from "./remote_fill.ts";
import { type FindCounts, type Owners, SharedStore } from "./shared_store.ts";
import { Slab } from "./slab.ts";

/** Milliseconds that a purge may take from its asker to its owner; its asker died on the way where it takes longer. */
const PURGE_ON_ITS_WAY = 1_000;
/** Milliseconds between two tellings of what was used. */
const TELL_USED = 1_000;

/** What a shared cache is made of. */
export interface SharedCacheOptions {
  /** This worker's number, from 0. */
  readonly worker: number;
  readonly workers: number;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Has a worker that is not there or does not answer forget this as soon as it
   * can: by {@linkcode SharedCache.purgeLate}, and what it has on disk though the
   * process ends; resolves once that is sure. Never rejects.
   */
  readonly owe: (worker: number, purge: Purge) => Promise<void>;
}

/** What is shared, beside what the store holds itself. */
export interface SharedStats extends Readonly<FindCounts> {
  /** Keys of other workers of which this one has a copy. */
  readonly copies: number;
  /** Bytes that these take. */
  readonly copyBytes: number;
}

/** A worker that this one is connected with. */
interface Peer {
  readonly port: MessagePort;
  readonly asker: Asker;
  readonly owner: Owner;
}

/** This worker's part of the cache, and its ways to the others'. */
export class SharedCache implements Elsewhere, Owners {
  readonly counts: FindCounts = { own: 0, copy: 0, owner: 0, none: 0 };
  readonly #options: SharedCacheOptions;
  readonly #peers: (Peer | undefined)[];
  readonly #pins: Pins;
  #memory: OwnerMemory | undefined;
  #slab: Slab | undefined;
  #cache: Cache | undefined;
  /** Purges that came too early: no cache is in use. */
  #early: ((cache: Cache) => void)[] = [];
  #store: SharedStore | undefined;
  /** Purges that were asked of this worker and have begun. */
  #begun = 0;
  #gate: PromiseWithResolvers<void> | undefined;
  #cancelGate: (() => void) | undefined;
  #cancelTelling: (() => void) | undefined;
  #closed = false;

  constructor(options: SharedCacheOptions) {
    const { workers, clock } = options;
    this.#options = options;
    this.#peers = new Array<Peer | undefined>(workers).fill(undefined);
    this.#pins = new Pins(clock);
  }

  /** A cache with `own` as this worker's part; copies of others' take `copyBytes` at most. Nobody meets it before `use`. */
  open(own: CacheStore, copyBytes: number): Cache {
    if (this.#memory === undefined) {
      this.#memory = new OwnerMemory();
      for (const peer of this.#peers) {
        if (peer !== undefined) this.#greet(peer.port);
      }
    }
    return new Cache(new SharedStore(own, new Copies(copyBytes), this), this);
  }

  /** Traffic meets this one from now on, where it is not the one that it meets. */
  use(cache: Cache | undefined): void {
    if (this.#cache === cache) return;
    this.#cache = cache;
    this.#store = cache?.store as SharedStore | undefined;
    this.#cancelTelling?.();
    this.#cancelTelling = cache && this.#options.clock.every(
      TELL_USED,
      () => this.#store?.tellUsed(),
    );
    if (cache === undefined) return;
    for (const purge of this.#early.splice(0)) purge(cache);
  }

  /** Another worker is there, at the other end of `port`; in place of the one of its number before. */
  connect(worker: number, port: MessagePort): void {
    if (this.#closed) {
      port.close();
      return;
    }
    this.lose(worker);
    const post = (message: Message, transfer: Transferable[] = []) =>
      port.postMessage(message, transfer);
    let knowsSlab = false;
    const pack = (bytes: Uint8Array) => {
      this.#slab ??= new Slab();
      if (!knowsSlab) {
        knowsSlab = true;
        post({ tell: "slab", buffer: this.#slab.buffer });
      }
      return this.#slab.pack(bytes, worker);
    };
    const asker = new Asker(post, this.#options.clock, pack);
    const owner = new Owner({
      cache: () => this.#cache,
      find: (key) => this.#store?.findOwn(key) ?? NO_ENTRIES,
      memory: () => this.memory,
      pins: this.#pins,
      clock: this.#options.clock,
      log: this.#options.log,
      purged: () => this.purged(),
      began: () => this.#purgeBegan(),
      pack,
      post,
    });
    this.#peers[worker] = { port, asker, owner };
    let theirs: Slab | undefined;
    const hear = ({ data }: MessageEvent<Message>) => {
      if ("pieces" in data) {
        for (const piece of data.pieces) {
          if ("slot" in piece) piece.slab = theirs!;
        }
      } else if ("tell" in data && data.tell === "slab") {
        theirs = new Slab(data.buffer);
      }
      if ("ask" in data) owner.asked(data);
      else asker.told(data);
    };
    port.onmessage = hear;
    if (this.#memory !== undefined) this.#greet(port);
  }

  #greet(port: MessagePort): void {
    const { buffer } = this.memory;
    port.postMessage({ tell: "hello", memory: buffer } satisfies Message);
  }

  /** Another worker is gone: what it stored can't be had, what it fetched won't come. */
  lose(worker: number): void {
    const peer = this.#peers[worker];
    if (peer === undefined) return;
    this.#peers[worker] = undefined;
    peer.port.close();
    peer.asker.lose();
    peer.owner.lose();
    this.#slab?.freeOf(worker);
    this.#store?.copies.dropOf(peer.asker);
  }

  /** Lets go of all. */
  close(): void {
    this.#closed = true;
    for (const worker of this.#peers.keys()) this.lose(worker);
    this.#cancelTelling?.();
    this.#cancelGate?.();
    this.#gate?.resolve();
    this.#pins.clear();
  }

  stats(): SharedStats {
    const copies = this.#store?.copies;
    return {
      copies: copies?.size ?? 0,
      copyBytes: copies?.bytes ?? 0,
      ...this.counts,
    };
  }

  // ------------------------------------------------------------------ owners

  /** There from the first config on that wants a cache: nothing is asked of this worker before. */
  get memory(): OwnerMemory {
    return this.#memory!;
  }

  #ownerOf(key: string): number {
    return ownerOf(shardOf(key), this.#options.workers);
  }

  owns(key: string): boolean {
    return this.#ownerOf(key) === this.#options.worker;
  }

  askerOf(key: string): Asker | undefined {
    return this.#peers[this.#ownerOf(key)]?.asker;
  }

  purged(): Promise<void> | undefined {
    if (this.memory.asked === this.#begun) return undefined;
    if (this.#gate === undefined) {
      this.#gate = Promise.withResolvers();
      this.#cancelGate = this.#options.clock.after(PURGE_ON_ITS_WAY, () => {
        this.#begun = this.memory.asked;
        this.#openGate();
      });
    }
    return this.#gate.promise;
  }

  #purgeBegan(): void {
    // As the shared count does.
    this.#begun = (this.#begun + 1) | 0;
    if (this.memory.asked === this.#begun) this.#openGate();
  }

  #openGate(): void {
    this.#cancelGate?.();
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  // --------------------------------------------------------------- elsewhere

  async claim(request: ClaimRequest): Promise<Claim> {
    const { key, variant, entries, ...rest } = request;
    const asker = this.askerOf(key);
    if (asker?.memory === undefined) return nobodyThere(key);
    const id = asker.number();
    // What follows the answer may be here before it was looked at.
    const result = Promise.withResolvers<WireResult>();
    let doomed = false;
    asker.listen(id, {
      result: result.resolve,
      doomed: () => doomed = true,
      lost: () => result.resolve({ kind: "again" }),
    });
    const answer = await asker.ask("claim", {
      key,
      variant,
      version: this.#store?.versionOf(entries),
      ...rest,
    }, id);
    let open = true;
    const leave = () => {
      if (!open) return;
      asker.forget(id);
      asker.say({ ask: "leave", id });
    };
    switch (answer?.kind) {
      case "lead": {
        const { led, stores } = answer;
        const own = led ? variant : undefined;
        const fetch = new RemoteFetch({ key, variant: own, doomed, asker, id });
        return { kind: "lead", fetch, stores };
      }
      case "wait":
        return {
          kind: "wait",
          result: result.promise.then((wire) => {
            open = wire.kind === "fill";
            return toResult(wire, key, asker, id);
          }),
          leave,
        };
      case "fill": {
        asker.forget(id);
        const fill = new RemoteFill(answer, asker, id);
        return {
          kind: "wait",
          result: Promise.resolve({ kind: "fill", fill }),
          leave,
        };
      }
      case "again":
        asker.forget(id);
        return { kind: "again" };
      default:
        asker.forget(id);
        return nobodyThere(key);
    }
  }

  async beginRefresh(key: string, variant: string): Promise<boolean> {
    const asked = this.askerOf(key)?.ask("refresh", { key, variant });
    return await asked === true;
  }

  endRefresh(key: string, variant: string): void {
    this.askerOf(key)?.say({ ask: "refreshed", key, variant });
  }

  async invalidate(purge: Purge): Promise<number> {
    const workers = purge.kind === "url"
      ? [this.#ownerOf(purge.url)]
      : [...this.#peers.keys()];
    const purged = await Promise.allSettled(
      workers.map(async (worker) =>
        worker === this.#options.worker
          ? await this.#cache?.purge(purge) ?? 0
          : await this.#purgeAt(worker, purge)
      ),
    );
    // Only now: one that fails keeps no other from it.
    let sum = 0;
    for (const result of purged) {
      if (result.status === "rejected") {
        throw asProxyError(result.reason, "cache_failed");
      }
      sum += result.value;
    }
    return sum;
  }

  /** From here on nobody finds what is meant, whenever its owner comes to forget it. */
  async #purgeAt(worker: number, purge: Purge): Promise<number> {
    const asker = this.#peers[worker]?.asker;
    const memory = asker?.lastMemory;
    if (asker === undefined || memory === undefined) {
      await this.#options.owe(worker, purge);
      return 0;
    }
    announce(memory, purge);
    if (asker.memory === undefined) {
      // It hangs: it will do this before anything else, if it comes back.
      asker.say({ ask: "purge", id: asker.number(), purge, late: true });
      await this.#options.owe(worker, purge);
      return 0;
    }
    const answer = await asker.ask("purge", { purge, late: false });
    if (answer === undefined) {
      await this.#options.owe(worker, purge);
      return 0;
    }
    if (answer.kind === "failed") throw errorOf(answer);
    return answer.count;
  }

  /**
   * Forgets what another worker could not tell this one of, before anything is
   * found; where no cache is in use, as soon as there is one. Whether that is
   * done: where the store can't, the log is told. Never rejects.
   */
  purgeLate(purge: Purge): Promise<boolean> {
    if (this.#cache !== undefined) return this.#purgeNow(this.#cache, purge);
    if (purge.kind === "all") this.#early = [];
    return new Promise((resolve) =>
      this.#early.push((cache) => resolve(this.#purgeNow(cache, purge)))
    );
  }

  async #purgeNow(cache: Cache, purge: Purge): Promise<boolean> {
    announce(this.memory, purge);
    try {
      await cache.purge(purge);
      return true;
    } catch (error) {
      this.#options.log.error("The cache could not forget what was purged", {
        error,
      });
      return false;
    } finally {
      this.#purgeBegan();
    }
  }
}

/** From here on no copy of what is meant is current, and the owner finds nothing before it knows of this. */
function announce(memory: OwnerMemory, purge: Purge): void {
  memory.ask();
  if (purge.kind === "url") memory.change(memory.slotOf(purge.url));
  else memory.changeAll();
}

/** The backend answers each for himself. */
function nobodyThere(key: string): Claim {
  const fetch = new Fetch(key, undefined, () => {});
  return { kind: "lead", fetch, stores: false };
}

function toResult(
  wire: WireResult,
  key: string,
  asker: Asker,
  id: number,
): FetchResult {
  switch (wire.kind) {
    case "fill":
      return { kind: "fill", fill: new RemoteFill(wire, asker, id) };
    case "entry": {
      const { entry } = wire;
      return {
        kind: "entry",
        entry: new RemoteEntry(key, entry, entry.bytes, asker),
      };
    }
    case "failed":
      return { kind: "failed", error: errorOf(wire) };
    default:
      return wire;
  }
}
