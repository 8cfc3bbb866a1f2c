/**
 * Several workers' caches in one thread, on channels that a test may stop, with
 * clients that go about it as sessions do.
 *
 * @module
 */
import type {
  Cache,
  Fetching,
  FetchResult,
} from "../../../core/cache/cache.ts";
import type { Fill, OpenFill } from "../../../core/cache/fill.ts";
import { MemoryStore } from "../../../core/cache/memory_store.ts";
import { ownerOf, shardOf } from "../../../core/cache/shard.ts";
import type { CacheStore, StoredHead } from "../../../core/cache/store.ts";
import { ProxyError } from "../../../core/errors.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import { createLog } from "../../../core/observe/log.ts";
import { SharedCache } from "../../../core/shared_cache/shared_cache.ts";
import { OwedPurges } from "../../../core/supervisor/owed_purges.ts";
import { FakeClock } from "../../support/clock.ts";
import { headOf } from "../cache/heads.ts";

/** One worker. */
export interface TestWorker {
  readonly number: number;
  readonly shared: SharedCache;
  readonly store: CacheStore;
  readonly cache: Cache;
}

/** A channel whose messages a test may hold up. */
class Line {
  readonly ends: readonly [MessagePort, MessagePort];
  readonly #inner: MessagePort[];
  /** What is held up, by the end that it comes from. */
  readonly #held: [(() => void)[] | undefined, (() => void)[] | undefined] = [
    undefined,
    undefined,
  ];

  constructor() {
    const one = new MessageChannel();
    const other = new MessageChannel();
    this.ends = [one.port1, other.port1];
    this.#inner = [one.port2, other.port2];
    one.port2.onmessage = ({ data }) => this.#pass(0, other.port2, data);
    other.port2.onmessage = ({ data }) => this.#pass(1, one.port2, data);
  }

  #pass(from: 0 | 1, to: MessagePort, data: unknown): void {
    const held = this.#held[from];
    if (held === undefined) to.postMessage(data);
    else held.push(() => to.postMessage(data));
  }

  get isStopped(): boolean {
    return this.#held.some((held) => held !== undefined);
  }

  /** From one end, or both. */
  stop(...ends: (0 | 1)[]): void {
    for (const end of ends) this.#held[end] ??= [];
  }

  go(): void {
    for (const end of [0, 1] as const) {
      const held = this.#held[end];
      this.#held[end] = undefined;
      for (const send of held ?? []) send();
    }
  }

  close(): void {
    for (const port of [...this.ends, ...this.#inner]) port.close();
  }
}

/** What makes the store of a worker. */
export type StoreMaker = (worker: number) => CacheStore;

/** The proxies that are there. */
const proxies = new Set<ProxyOfWorkers>();

/** Lets messages arrive, and so often what follows of them, however busy the machine is. */
export async function messages(rounds = 3): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    await Promise.all([...proxies].flatMap((proxy) => proxy.pings()));
  }
}

/** Several workers, connected as the supervisor connects them. */
export class ProxyOfWorkers {
  readonly clock = new FakeClock();
  /** What all workers logged. */
  readonly logged: string[] = [];
  readonly workers: (TestWorker | undefined)[];
  readonly #lines = new Map<string, Line>();
  readonly #owed = new OwedPurges();
  readonly #store: StoreMaker;
  readonly #copies: number;

  private constructor(count: number, store: StoreMaker, copies: number) {
    this.#store = store;
    this.#copies = copies;
    this.workers = new Array<undefined>(count).fill(undefined);
  }

  static async start(
    count: number,
    {
      store = () => new MemoryStore({ capacity: 16 << 20 }),
      copies = 1 << 20,
    }: { store?: StoreMaker; copies?: number } = {},
  ): Promise<ProxyOfWorkers> {
    const proxy = new ProxyOfWorkers(count, store, copies);
    proxies.add(proxy);
    for (let number = 0; number < count; number++) proxy.open(number);
    await messages();
    return proxy;
  }

  /** Asks each that can answer; what was said before has arrived when it does. */
  pings(): Promise<unknown>[] {
    const { workers } = this;
    return workers.flatMap((worker) =>
      workers.flatMap((other) => {
        if (worker === undefined || other === undefined) return [];
        const line = this.#lines.get(nameOf(worker.number, other.number));
        if (worker === other || line?.isStopped !== false) return [];
        const asker = worker.shared.askerOf(this.keyOf(other.number));
        return asker?.ask("ping", {}) ?? [];
      })
    );
  }

  /** Puts a worker into its place; without `uses` its cache is not in use yet. */
  open(number: number, { uses = true } = {}): void {
    const shared: SharedCache = new SharedCache({
      worker: number,
      workers: this.workers.length,
      clock: this.clock,
      log: createLog({
        level: "debug",
        format: "json",
        write: (line) => this.logged.push(line),
      }),
      owe: (other, purge) => {
        // One that was killed says nothing any more.
        if (this.workers[number]?.shared === shared) {
          this.#owed.owe(other, purge);
        }
        return Promise.resolve();
      },
    });
    const store = this.#store(number);
    const cache = shared.open(store, this.#copies);
    this.#owed.join(number, async (id, purge) => {
      if (await shared.purgeLate(purge)) this.#owed.paid(number, id);
    });
    if (uses) shared.use(cache);
    for (const other of this.workers) {
      if (other === undefined) continue;
      const line = new Line();
      this.#lines.set(nameOf(number, other.number), line);
      shared.connect(other.number, line.ends[0]);
      other.shared.connect(number, line.ends[1]);
    }
    this.workers[number] = { number, shared, store, cache };
  }

  /** Ends a worker at once; the others are told. */
  kill(number: number): void {
    const worker = this.workers[number]!;
    this.workers[number] = undefined;
    this.#owed.leave(number);
    worker.shared.close();
    for (const other of this.workers) {
      if (other === undefined) continue;
      this.#lines.get(nameOf(number, other.number))!.close();
      other.shared.lose(number);
    }
  }

  /** Holds up what two workers say to each other. */
  stop(a: number, b: number): void {
    this.#lines.get(nameOf(a, b))!.stop(0, 1);
  }

  /** Holds up what one worker says to another. */
  mute(from: number, to: number): void {
    // The later one of two has the first end.
    this.#lines.get(nameOf(from, to))!.stop(from > to ? 0 : 1);
  }

  /** Lets through what two say to each other. */
  go(a: number, b: number): void {
    this.#lines.get(nameOf(a, b))!.go();
  }

  worker(number: number): TestWorker {
    return this.workers[number]!;
  }

  /** A key of this worker's; the nth. */
  keyOf(owner: number, n = 0): string {
    let found = 0;
    for (let i = 0;; i++) {
      const key = `http://a/${i}`;
      if (ownerOf(shardOf(key), this.workers.length) !== owner) continue;
      if (found++ === n) return key;
    }
  }

  [Symbol.dispose](): void {
    proxies.delete(this);
    for (const worker of this.workers) worker?.shared.close();
    for (const line of this.#lines.values()) line.close();
  }
}

function nameOf(a: number, b: number): string {
  return [a, b].sort().join(" ");
}

/** A backend's body that a test sends piece by piece. */
export class SentBody implements BodyReader {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  last = false;
  cancelled = false;
  /** Bytes that were taken. */
  taken = 0;
  readonly headroom = 0;
  readonly tailroom = 0;
  readonly #pieces: Uint8Array[] = [];
  #whole = false;
  #error: ProxyError | undefined;
  #wake: (() => void) | undefined;

  /** All at once. */
  static of(bytes: Uint8Array): SentBody {
    const body = new SentBody();
    body.send(bytes);
    body.finish();
    return body;
  }

  send(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#wake?.();
  }

  finish(): void {
    this.#whole = true;
    this.#wake?.();
  }

  break(): void {
    this.#error = new ProxyError("response_truncated", "broken off");
    this.#wake?.();
  }

  advance(): boolean {
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.bytes = piece;
      this.start = 0;
      this.end = piece.length;
      this.taken += piece.length;
      this.last = this.#whole && this.#pieces.length === 0;
      return true;
    }
    if (!this.#whole && !this.last) return false;
    this.last = true;
    this.start = this.end = 0;
    return true;
  }

  async next(): Promise<boolean> {
    for (;;) {
      if (this.last) return false;
      if (this.advance()) return this.end > this.start;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  cancel(): void {
    this.cancelled = true;
    this.last = true;
    this.#wake?.();
  }
}

/** What a backend answers. */
export interface BackendAnswer {
  readonly head?: Partial<StoredHead>;
  readonly body: BodyReader;
  readonly size?: number | undefined;
}

/** What a client does. */
export interface ClientOptions {
  readonly variant?: string;
  /** Asks the backend. */
  readonly ask: () => BackendAnswer | Promise<BackendAnswer>;
  /** Default 1. */
  readonly minUses?: number;
}

/** How a client was answered. */
export interface Answered {
  readonly from: "store" | "fill" | "entry" | "own" | "passed" | "failed";
  readonly body: BodyReader;
  readonly head: StoredHead;
}

/** Looks and, where need be, fetches, as a session does; the body is not read yet. */
export async function request(
  { cache }: TestWorker,
  key: string,
  { variant = `${key}\nweb`, ask, minUses = 1 }: ClientOptions,
): Promise<Answered> {
  let alone = false;
  for (let seen = 0;;) {
    const found = cache.store.find(key);
    const entries = found instanceof Promise ? await found : found;
    const [entry] = entries;
    if (entry !== undefined) {
      cache.store.used(entry);
      const { head, size } = entry;
      return { from: "store", body: entry.open(0, size), head };
    }
    const elsewhere = cache.elsewhere(key);
    let result: FetchResult;
    if (elsewhere === undefined) {
      const fill = alone ? undefined : cache.fillOf(key, ({ open }) => open);
      const other = alone ? undefined : cache.fetchOf(variant);
      if (fill !== undefined) result = { kind: "fill", fill };
      else if (other !== undefined) result = await other.wait();
      else {
        const stores = minUses === 1 || cache.use(key) >= minUses;
        return await fetchIt(cache, cache.begin(key, variant), stores, ask);
      }
    } else {
      const claim = await elsewhere.claim({
        key,
        variant,
        joins: !alone,
        leads: !alone,
        minUses,
        entries,
        seen,
      });
      if (claim.kind === "again") continue;
      if (claim.kind === "lead") {
        return await fetchIt(cache, claim.fetch, claim.stores, ask);
      }
      result = await claim.result;
    }
    switch (result.kind) {
      case "fill": {
        const { fill } = result;
        if (!fill.open || await fill.join?.() === false) {
          seen = fill.serial;
          continue;
        }
        const body = fill.read(0, fill.size ?? Infinity);
        return { from: "fill", body, head: fill.head };
      }
      case "entry": {
        const { head, size } = result.entry;
        return { from: "entry", body: result.entry.open(0, size), head };
      }
      case "uncacheable":
        alone = true;
        continue;
      case "again":
        continue;
      case "failed":
        throw result.error;
    }
  }
}

async function fetchIt(
  cache: Cache,
  fetch: Fetching,
  stores: boolean,
  ask: ClientOptions["ask"],
): Promise<Answered> {
  let answer: BackendAnswer;
  try {
    answer = await ask();
  } catch (thrown) {
    fetch.settle({ kind: "failed", error: thrown as ProxyError });
    throw thrown;
  }
  const { body, size } = answer;
  const head = headOf([["cache-control", "max-age=60"]], {
    length: undefined,
    ...answer.head,
  });
  const fill = stores && !fetch.doomed
    ? cache.fill({ fetch, head, size, body, replaced: [], ended: () => {} })
    : undefined;
  if (fill === undefined) {
    fetch.giveUp("uncacheable");
    return { from: "passed", body, head };
  }
  const reader = fill.read(0, size ?? Infinity);
  fill.run();
  fetch.settle({ kind: "fill", fill });
  return { from: "own", body: reader, head };
}

/** All bytes of a body. */
export async function bytesOf(body: BodyReader): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    if (!body.advance()) await body.next();
    pieces.push(body.bytes.slice(body.start, body.end));
    if (body.last) break;
  }
  return await new Blob(pieces as Uint8Array<ArrayBuffer>[]).bytes();
}

/** Its text. */
export async function textOf(body: BodyReader): Promise<string> {
  return new TextDecoder().decode(await bytesOf(body));
}

/** Bytes that tell where they are. */
export function pattern(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Asks a backend that answers so. */
export function answering(
  bytes: Uint8Array | string,
  head: Partial<StoredHead> = {},
): { ask: () => BackendAnswer; readonly times: number } {
  const all = typeof bytes === "string"
    ? new TextEncoder().encode(bytes)
    : bytes;
  let times = 0;
  return {
    ask: () => {
      times++;
      return { body: SentBody.of(all), size: all.length, head };
    },
    get times() {
      return times;
    },
  };
}

export type { Fill, OpenFill };
