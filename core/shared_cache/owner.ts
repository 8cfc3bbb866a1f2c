/**
 * The side of a worker that owns keys: answers what one other worker asks, by
 * the cache that its own clients use too.
 *
 * @module
 */
import type { Fetch, FetchResult } from "../cache/cache.ts";
import type { OpenFill } from "../cache/fill.ts";
import type { StoredEntry } from "../cache/store.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { Clock } from "../net/clock.ts";
import type { Log } from "../plugin.ts";
import { errorOf } from "./asker.ts";
import { Inflow } from "./inflow.ts";
import { OwnedEntries, type OwnedEntriesParts } from "./owned_entries.ts";
import { OwnedStreams } from "./owned_streams.ts";
import { drop, type Piece } from "./slab.ts";
import {
  type Ask,
  type AskOf,
  type ClaimAnswer,
  markOf,
  type PurgeAnswer,
  type Tell,
  type WireFailure,
  type WireFill,
  type WireResult,
  type WireSettle,
} from "./protocol.ts";

/** What an owner works with. */
export interface OwnerParts extends OwnedEntriesParts {
  readonly clock: Clock;
  readonly log: Log;
  /** A purge has begun; one whose asker does not wait for it, is done. */
  readonly began: () => void;
  /** Copies bytes for the other worker. */
  readonly pack: (bytes: Uint8Array) => Piece[];
  readonly post: (message: Tell, transfer?: Transferable[]) => void;
}

/** A claim of the other worker's. */
interface ClaimState {
  readonly key: string;
  /** What it leads; undefined where it waits. */
  readonly fetch: Fetch | undefined;
  /** What it was offered, or sends. */
  fill: OpenFill | undefined;
  /** What it sends. */
  body: Inflow | undefined;
  /** Resolves when its fill has begun, or can't. */
  beginning: Promise<void> | undefined;
}

/** One other worker's counterpart. */
export class Owner {
  readonly #parts: OwnerParts;
  readonly #entries: OwnedEntries;
  readonly #claims = new Map<number, ClaimState>();
  readonly #streams: OwnedStreams;
  readonly #refreshes = new Map<string, string>();
  #lost = false;

  constructor(parts: OwnerParts) {
    this.#parts = parts;
    this.#entries = new OwnedEntries(parts);
    this.#streams = new OwnedStreams({
      pack: parts.pack,
      post: (message, transfer) => this.#post(message, transfer),
      over: (id) => {
        // Who has read all of an offered fill does not leave.
        if (this.#claims.get(id)?.fetch === undefined) this.#claims.delete(id);
      },
    });
  }

  /** Does what is asked. What can't be done is told to the log, and to the asker so that it goes on without. Never throws. */
  asked(ask: Ask): void {
    try {
      this.#do(ask)?.catch((thrown) => this.#fail(ask, thrown));
    } catch (thrown) {
      this.#fail(ask, thrown);
    }
  }

  #do(ask: Ask): void | Promise<void> {
    switch (ask.ask) {
      case "find":
        return this.#answer(ask.id, this.#entries.list(ask));
      case "claim":
        return this.#answer(ask.id, this.#claim(ask));
      case "join":
        return this.#join(ask);
      case "leave":
        return this.#leave(ask.id);
      case "settle":
        return this.#settle(ask);
      case "pass":
        return this.#pass(ask.id);
      case "fill":
        return this.#fill(ask);
      case "bytes":
        return this.#take(ask);
      case "end":
        return this.#claims.get(ask.id)?.body?.finish();
      case "break":
        return this.#claims.get(ask.id)?.body?.fail(brokenOff());
      case "open":
        return this.#open(ask);
      case "reread":
        return this.#reread(ask);
      case "more":
        return this.#streams.more(ask.id, ask.count);
      case "used":
        return this.#entries.used(ask.names);
      case "update":
        return this.#answer(ask.id, this.#entries.update(ask));
      case "remove":
        return this.#answer(ask.id, this.#entries.remove(ask.name));
      case "purge":
        return this.#answer(ask.id, this.#purge(ask));
      case "refresh":
        return this.#answer(ask.id, this.#refresh(ask));
      case "refreshed":
        this.#refreshes.delete(ask.variant);
        return this.#parts.cache()?.endRefresh(ask.key, ask.variant);
      case "ping":
        return this.#answer(ask.id, true);
    }
  }

  /** Who waits goes on as if nobody was here; but what a purge did not forget somebody has to know. */
  #fail(ask: Ask, thrown: unknown): void {
    this.#complain(ask, thrown);
    switch (ask.ask) {
      case "claim":
        this.#leave(ask.id);
        return this.#nothing(ask.id);
      case "find":
      case "join":
      case "update":
      case "remove":
      case "refresh":
        return this.#nothing(ask.id);
      case "purge":
        return this.#post({
          tell: "answer",
          id: ask.id,
          value: failure(asProxyError(thrown, "cache_failed")),
        });
      case "fill":
        // Its leader goes on without the store.
        return this.#claims.get(ask.id)?.body?.cancel();
      case "open":
      case "reread":
        return this.#streams.gone(ask.id);
    }
  }

  #complain({ ask }: Ask, error: unknown): void {
    this.#parts.log.error("The cache could not do what another worker asked", {
      ask,
      error,
    });
  }

  /** The other worker is gone: nobody waits for what it fetched, nor gets a part of it for the whole. */
  lose(): void {
    this.#lost = true;
    for (const id of [...this.#claims.keys()]) this.#leave(id);
    this.#streams.stopAll();
    for (const [variant, key] of this.#refreshes) {
      this.#parts.cache()?.endRefresh(key, variant);
    }
    this.#refreshes.clear();
  }

  #post(message: Tell, transfer?: Transferable[]): void {
    if (!this.#lost) this.#parts.post(message, transfer);
  }

  #answer(id: number, value: unknown): void | Promise<void> {
    if (value instanceof Promise) {
      return value.then((later) => this.#answer(id, later));
    }
    this.#post({ tell: "answer", id, value });
  }

  #nothing(id: number): void {
    this.#post({ tell: "answer", id, value: undefined });
  }

  async #purge(
    { purge, late }: AskOf<"purge">,
  ): Promise<PurgeAnswer | undefined> {
    const { cache: current, began } = this.#parts;
    const cache = current();
    let purged: number | Promise<number>;
    try {
      // Its disk may have it nonetheless, once one is in use.
      if (cache === undefined) return undefined;
      purged = cache.purge(purge);
      if (late) purged = await purged;
    } finally {
      // Also where it fails: who waits for it can't be told more by waiting.
      began();
    }
    return { kind: "purged", count: await purged };
  }

  // ----------------------------------------------------------------- fetches

  #claim(ask: AskOf<"claim">): ClaimAnswer | Promise<ClaimAnswer> {
    const { cache: current, memory, clock, purged } = this.#parts;
    const waits = purged();
    if (waits !== undefined) return waits.then(() => this.#claim(ask));
    const { id, key, variant, version, joins, leads, minUses, seen } = ask;
    const cache = current();
    if (cache === undefined || this.#lost) return NOTHING;
    if (
      version !== undefined &&
      version !== memory().versionAt(memory().slotOf(key))
    ) return LOOK_AGAIN;
    if (joins) {
      const fill = cache.fillOf(
        key,
        ({ open, head, serial }) => open && head.complete && serial > seen,
      );
      if (fill !== undefined) return this.#offer(id, key, fill);
      const other = cache.fetchOf(variant);
      if (other !== undefined) {
        this.#claims.set(id, claimOf(key, undefined));
        other.wait().then((result) => this.#tellResult(id, key, result))
          .catch((thrown) => {
            this.#complain(ask, thrown);
            this.#claims.delete(id);
            this.#post({ tell: "result", id, result: ALONE });
          });
        return { kind: "wait" };
      }
    }
    const uses = minUses > 1 ? cache.use(key) : Infinity;
    const stores = uses >= minUses;
    const leading = stores && leads && !cache.passes(variant, clock.wall());
    const fetch = cache.begin(key, leading ? variant : undefined);
    const tellDoom = () => this.#post({ tell: "doomed", id });
    fetch.onDoom = tellDoom;
    this.#claims.set(id, claimOf(key, fetch));
    return { kind: "lead", led: fetch.variant !== undefined, stores };
  }

  #offer(id: number, key: string, fill: OpenFill): WireFill {
    this.#claims.set(id, { ...claimOf(key, undefined), fill });
    const { head, size, serial } = fill;
    return { kind: "fill", head, size, serial };
  }

  async #tellResult(
    id: number,
    key: string,
    result: FetchResult,
  ): Promise<void> {
    if (!this.#claims.has(id)) return;
    const wire = await this.#wireResult(id, key, result);
    // Whoever waited may have left meanwhile.
    if (!this.#claims.has(id)) return;
    if (wire.kind !== "fill") this.#claims.delete(id);
    this.#post({ tell: "result", id, result: wire });
  }

  async #wireResult(
    id: number,
    key: string,
    result: FetchResult,
  ): Promise<WireResult> {
    switch (result.kind) {
      case "fill":
        return result.fill.open
          ? this.#offer(id, key, result.fill)
          : { kind: "again", stored: true };
      case "entry": {
        const entry = await this.#entries.wire(result.entry);
        return entry === undefined
          ? { kind: "again" }
          : { kind: "entry", entry };
      }
      case "failed":
        return failure(result.error);
      default:
        return result;
    }
  }

  #join({ id }: AskOf<"join">): void {
    const fill = this.#claims.get(id)?.fill;
    const body = fill?.open === true ? fill.read(0, Infinity) : undefined;
    this.#answer(id, body !== undefined);
    if (body !== undefined) this.#streams.send(id, body);
  }

  async #settle({ id, result }: AskOf<"settle">): Promise<void> {
    const claim = this.#claims.get(id);
    if (claim?.fetch === undefined) return;
    const { fetch } = claim;
    // A response that is sent goes on under this number.
    if (claim.body === undefined) this.#claims.delete(id);
    await claim.beginning;
    try {
      fetch.settle(await this.#settledBy(claim, result));
    } catch (thrown) {
      fetch.giveUp("uncacheable");
      throw thrown;
    }
  }

  async #settledBy(
    { fill }: ClaimState,
    result: WireSettle,
  ): Promise<FetchResult> {
    switch (result.kind) {
      case "fill":
        // Where the store would not have it, each is to ask for himself.
        return fill === undefined
          ? { kind: "uncacheable" }
          : { kind: "fill", fill };
      case "entry": {
        const entry = await this.#entries.named(result.name);
        return entry === undefined
          ? { kind: "again" }
          : { kind: "entry", entry };
      }
      case "failed":
        return { kind: "failed", error: errorOf(result) };
      default:
        return { kind: result.kind };
    }
  }

  #pass(id: number): void {
    const fetch = this.#claims.get(id)?.fetch;
    const { cache, clock } = this.#parts;
    if (fetch !== undefined) cache()?.pass(fetch, clock.wall());
  }

  /** What the other worker's fetch brings is stored as if this one's had brought it. */
  #fill(ask: AskOf<"fill">): void {
    const { id, head, size, replaced } = ask;
    const claim = this.#claims.get(id);
    const cache = this.#parts.cache();
    if (claim?.fetch === undefined || cache === undefined) {
      this.#post({ tell: "stop", id });
      return;
    }
    const { key, fetch } = claim;
    const body = new Inflow({
      more: (count) => this.#post({ tell: "taken", id, count }),
      stop: () => this.#post({ tell: "stop", id }),
    });
    claim.body = body;
    const entries = this.#parts.find(key);
    const begin = (entries: readonly StoredEntry[]) => {
      const fill = fetch.doomed ? undefined : cache.fill({
        fetch,
        head,
        size,
        body,
        replaced: entries.filter((entry) =>
          replaced.includes(markOf(entry.head))
        ),
        ended: () => {},
      });
      if (fill === undefined) {
        body.cancel();
        return;
      }
      if (fetch.variant !== undefined) cache.cacheable(fetch.variant);
      claim.fill = fill;
      fill.run();
    };
    if (entries instanceof Promise) {
      claim.beginning = entries.then(begin)
        .catch((thrown) => this.#fail(ask, thrown));
    } else begin(entries);
  }

  #take({ id, pieces }: AskOf<"bytes">): void {
    const body = this.#claims.get(id)?.body;
    if (body === undefined) drop(pieces);
    else body.take(pieces, false);
  }

  #reread({ id, claim, start, end }: AskOf<"reread">): void {
    const fill = this.#claims.get(claim)?.fill;
    if (fill === undefined) this.#streams.gone(id);
    else this.#streams.send(id, fill.read(start, end));
  }

  #refresh(
    { key, variant }: AskOf<"refresh">,
  ): boolean | Promise<boolean> {
    const may = this.#parts.cache()?.beginRefresh(key, variant) ?? false;
    if (may === true) this.#refreshes.set(variant, key);
    return may;
  }

  // ------------------------------------------------------------------ bodies

  async #open({ id, name, ref, start, end }: AskOf<"open">): Promise<void> {
    const entry = this.#parts.pins.get(ref) ?? await this.#entries.named(name);
    if (this.#lost) return;
    if (entry === undefined) this.#streams.gone(id);
    else this.#streams.send(id, entry.open(start, end));
  }

  #leave(id: number): void {
    this.#streams.stop(id);
    const claim = this.#claims.get(id);
    if (claim === undefined) return;
    this.#claims.delete(id);
    claim.body?.fail(brokenOff());
    const { fetch, beginning } = claim;
    // Who waits may still find what it has sent.
    if (beginning === undefined) fetch?.giveUp("again");
    else beginning.then(() => fetch?.giveUp("again"));
  }
}

function claimOf(key: string, fetch: Fetch | undefined): ClaimState {
  return { key, fetch, fill: undefined, body: undefined, beginning: undefined };
}

/** As it crosses. */
function failure({ code, message }: ProxyError): WireFailure {
  return { kind: "failed", code, message };
}

const LOOK_AGAIN: ClaimAnswer = Object.freeze({ kind: "again" });
/** There is no cache here now. */
const NOTHING: ClaimAnswer = Object.freeze({
  kind: "lead",
  led: false,
  stores: false,
});

/** Each asks for himself. */
const ALONE: WireResult = Object.freeze({ kind: "uncacheable" });

function brokenOff(): ProxyError {
  return new ProxyError(
    "response_truncated",
    "The worker that fetched the response is gone, or its backend broke off",
  );
}
