/**
 * The cache of one data plane: a store, and what is on its way into it. One
 * fetch answers all who wait for the same; what turns out not to be cacheable
 * is not waited for again.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { Elsewhere } from "./elsewhere.ts";
import { Fill, type OpenFill } from "./fill.ts";
import { textKey } from "./text_key.ts";
import {
  type CacheStore,
  isPurged,
  type Purge,
  type StoredEntry,
  type StoredHead,
  type StoreStats,
  type StoreWriter,
} from "./store.ts";

/** How long a key that turned out not to be cacheable is fetched without waiting, in milliseconds. */
const PASS_FOR = 120_000;
/** Keys whose uses or whose uncacheability are remembered. */
const MAX_REMEMBERED = 1 << 16;
/** Bodies that are read to their end though nobody waits for them any more. */
const MAX_ALONE = 64;
/** Responses that are fetched anew behind clients' backs at once. */
const MAX_REFRESHES = 64;

/** What those who wait for another's fetch get. */
export type FetchResult =
  /** A body that comes, for those whom its head suits. */
  | { readonly kind: "fill"; readonly fill: OpenFill }
  /** A stored response that was found to hold, or stands in. */
  | { readonly kind: "entry"; readonly entry: StoredEntry }
  /** Each is to ask for himself. */
  | { readonly kind: "uncacheable" }
  /** It came to nothing for reasons of its own, or is stored by now: who waits looks again. */
  | { readonly kind: "again"; readonly stored?: boolean }
  /** No backend answers. */
  | { readonly kind: "failed"; readonly error: ProxyError };

const UNCACHEABLE: FetchResult = Object.freeze({ kind: "uncacheable" });
const AGAIN: FetchResult = Object.freeze({ kind: "again" });

/** A request to a backend whose answer may be stored, whichever worker owns its key. */
export interface Fetching {
  readonly key: string;
  /** By what others find it; undefined where nobody may wait for it. */
  readonly variant: string | undefined;
  /** A purge or an unsafe request came since: what it brings is not stored. */
  readonly doomed: boolean;
  /** Set where another worker owns the key. */
  readonly owner?: FetchOwner;
  /** Tells those who wait; once. */
  settle(result: FetchResult): void;
  /** As `settle`, with a result for nobody. */
  giveUp(reason: "uncacheable" | "again"): void;
}

/** The worker that owns a fetch's key. */
export interface FetchOwner {
  /** Sends a response there while it comes; undefined where the owner is gone. */
  begin(
    head: StoredHead,
    size: number | undefined,
    replaced: readonly StoredEntry[],
  ): StoreWriter | undefined;
  /** Notes that the variant is not cacheable. */
  pass(): void;
}

/** A request to a backend whose answer may be stored here. */
export class Fetch implements Fetching {
  readonly key: string;
  readonly variant: string | undefined;
  /** Is called once where it is doomed. */
  onDoom: (() => void) | undefined;
  #doomed = false;
  readonly #ended: (fetch: Fetch) => void;
  #waiting: ((result: FetchResult) => void)[] = [];
  #over = false;

  constructor(
    key: string,
    variant: string | undefined,
    ended: (fetch: Fetch) => void,
  ) {
    this.key = key;
    this.variant = variant;
    this.#ended = ended;
  }

  get doomed(): boolean {
    return this.#doomed;
  }

  /** What it brings is not to be stored. */
  doom(): void {
    if (this.#doomed) return;
    this.#doomed = true;
    this.onDoom?.();
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Waits for its result. */
  wait(): Promise<FetchResult> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  settle(result: FetchResult): void {
    if (this.#over) return;
    this.#over = true;
    // Who comes from now on finds the result, not the fetch.
    this.#ended(this);
    for (const resolve of this.#waiting) resolve(result);
    this.#waiting = [];
  }

  giveUp(reason: "uncacheable" | "again"): void {
    this.settle(reason === "again" ? AGAIN : UNCACHEABLE);
  }
}

/** What a fill needs beside its body. */
export interface FillRequest {
  readonly fetch: Fetching;
  readonly head: StoredHead;
  /** Bytes of the body, undefined where nobody knows. */
  readonly size: number | undefined;
  readonly body: BodyReader | null;
  readonly before?: BodyReader | undefined;
  readonly after?: BodyReader | undefined;
  readonly replaced: readonly StoredEntry[];
  /** Called when the body is over, `whole` where it came to its end. */
  readonly ended: (whole: boolean) => void;
}

/** What happens in the cache. */
export interface CacheStats extends StoreStats {
  /** Fetches that others may wait for. */
  readonly fetches: number;
  /** Requests that wait for one of them. */
  readonly waiting: number;
  /** Bodies on their way in. */
  readonly fills: number;
  /** Responses that are fetched anew behind clients' backs. */
  readonly refreshes: number;
}

/** The cache. */
export class Cache {
  readonly store: CacheStore;
  /** Fetches that may be waited for, by variant. */
  readonly #fetches = new Map<string, Fetch>();
  /** All fetches whose heads are not there yet. */
  readonly #pending = new Set<Fetch>();
  readonly #fills = new Map<string, Set<Fill>>();
  /** Until when variants are fetched without waiting. */
  readonly #passes = new Map<number, number>();
  readonly #uses = new Map<number, number>();
  #alone = 0;
  readonly #refreshes = new Set<string>();
  readonly #elsewhere: Elsewhere | undefined;

  /** `elsewhere` is what other workers own of the proxy's cache; left out where there are none. */
  constructor(store: CacheStore, elsewhere?: Elsewhere) {
    this.store = store;
    this.#elsewhere = elsewhere;
  }

  /** Who is to be asked for a key's fetches: undefined where that is this cache. */
  elsewhere(key: string): Elsewhere | undefined {
    return this.#elsewhere?.owns(key) === false ? this.#elsewhere : undefined;
  }

  /** As `purge`, wherever it is stored: nobody is answered with it any more once this resolves. */
  invalidate(purge: Purge): number | Promise<number> {
    return this.#elsewhere === undefined
      ? this.purge(purge)
      : this.#elsewhere.invalidate(purge);
  }

  /** The fetch that brings this variant, where one is under way. */
  fetchOf(variant: string): Fetch | undefined {
    return this.#fetches.get(variant);
  }

  /** A body on its way in that suits. */
  fillOf(key: string, suits: (fill: Fill) => boolean): Fill | undefined {
    for (const fill of this.#fills.get(key) ?? []) {
      if (suits(fill)) return fill;
    }
    return undefined;
  }

  /** Begins a fetch; others may wait for it by `variant`, where that is given and nobody has it yet. */
  begin(key: string, variant: string | undefined): Fetch {
    const own = variant !== undefined && !this.#fetches.has(variant)
      ? variant
      : undefined;
    const fetch = new Fetch(key, own, (over) => {
      this.#pending.delete(over);
      if (over.variant !== undefined) this.#fetches.delete(over.variant);
    });
    this.#pending.add(fetch);
    if (own !== undefined) this.#fetches.set(own, fetch);
    return fetch;
  }

  /** Stores a response while it comes; undefined where the store won't have it. */
  fill(request: FillRequest): Fill | undefined {
    const { fetch, head, size, body, before, after, replaced } = request;
    const { key } = fetch;
    if (fetch.owner !== undefined) return sendTo(fetch.owner, request);
    const writer = this.store.begin(key, head, size);
    if (writer === undefined) return undefined;
    let alone = false;
    const fill: Fill = new Fill({
      key,
      head,
      size,
      body,
      writer,
      before,
      after,
      replaced,
      goesOnAlone: () => {
        if (!alone && this.#alone < MAX_ALONE) {
          alone = true;
          this.#alone++;
        }
        return alone;
      },
      onEnd: (_entry, error) => {
        if (alone) this.#alone--;
        const others = this.#fills.get(key);
        others?.delete(fill);
        if (others?.size === 0) this.#fills.delete(key);
        request.ended(error === undefined && fill.done);
      },
    });
    const others = this.#fills.get(key);
    if (others === undefined) this.#fills.set(key, new Set([fill]));
    else others.add(fill);
    return fill;
  }

  /** Whether a key turned out not to be cacheable lately. */
  passes(variant: string, now: number): boolean {
    if (this.#passes.size === 0) return false;
    const key = textKey(variant);
    const until = this.#passes.get(key);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#passes.delete(key);
    return false;
  }

  /** Notes that what a fetch brought is not cacheable. */
  pass({ owner, variant }: Fetching, now: number): void {
    if (owner !== undefined) return owner.pass();
    if (variant === undefined) return;
    forgetSome(this.#passes);
    this.#passes.set(textKey(variant), now + PASS_FOR);
  }

  /** It is cacheable after all. */
  cacheable(variant: string): void {
    if (this.#passes.size > 0) this.#passes.delete(textKey(variant));
  }

  /** How often a key was asked for without being found, this time counted. */
  use(key: string): number {
    const number = textKey(key);
    const uses = (this.#uses.get(number) ?? 0) + 1;
    // The latest stands last: the first ones are forgotten.
    this.#uses.delete(number);
    forgetSome(this.#uses);
    this.#uses.set(number, uses);
    return uses;
  }

  /** Whether to fetch a variant anew behind a client's back: not where that goes on already, nor with too many others. */
  beginRefresh(key: string, variant: string): boolean | Promise<boolean> {
    const elsewhere = this.elsewhere(key);
    if (elsewhere !== undefined) return elsewhere.beginRefresh(key, variant);
    if (this.#refreshes.has(variant) || this.#fetches.has(variant)) {
      return false;
    }
    if (this.#refreshes.size >= MAX_REFRESHES) return false;
    this.#refreshes.add(variant);
    return true;
  }

  /** It is over. */
  endRefresh(key: string, variant: string): void {
    const elsewhere = this.elsewhere(key);
    if (elsewhere !== undefined) elsewhere.endRefresh(key, variant);
    else this.#refreshes.delete(variant);
  }

  /** Forgets what is meant of what is stored here, also what is on its way in; how many entries there were. */
  purge(purge: Purge): number | Promise<number> {
    for (const fetch of this.#pending) {
      // What its tags will be nobody knows: it was asked for before.
      if (purge.kind === "tag" || isPurged(purge, fetch.key, [])) {
        fetch.doom();
      }
    }
    for (const fills of this.#fills.values()) {
      for (const fill of fills) {
        if (isPurged(purge, fill.key, fill.head.tags)) fill.doom();
      }
    }
    return this.store.purge(purge);
  }

  stats(): CacheStats {
    let fills = 0;
    let waiting = 0;
    for (const fetch of this.#fetches.values()) waiting += fetch.waiting;
    for (const { size } of this.#fills.values()) fills += size;
    return {
      ...this.store.stats(),
      fetches: this.#pending.size,
      waiting,
      fills,
      refreshes: this.#refreshes.size,
    };
  }
}

/** Sends a response to the worker that stores it: others find it there. */
function sendTo(
  owner: FetchOwner,
  { fetch, head, size, body, before, after, replaced, ended }: FillRequest,
): Fill | undefined {
  const writer = owner.begin(head, size, replaced);
  if (writer === undefined) return undefined;
  const fill = new Fill({
    key: fetch.key,
    head,
    size,
    body,
    writer,
    before,
    after,
    replaced,
    distant: true,
    // The owner knows who waits for it.
    goesOnAlone: () => true,
    onEnd: (_entry, error) => ended(error === undefined && fill.done),
  });
  return fill;
}

/** Makes room for one more. */
function forgetSome(map: Map<number, number>): void {
  if (map.size < MAX_REMEMBERED) return;
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
