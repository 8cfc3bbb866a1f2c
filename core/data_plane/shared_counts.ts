/**
 * What workers count together, so that limits hold over all of them: the
 * connections of listeners, those of each client, and who waits in queues.
 *
 * @module
 */
import type { SharedUses } from "../plugin.ts";
import { SeatCounts } from "../shared/seat_counts.ts";
import {
  sharedKey,
  type SharedRequest,
  type SharedSource,
} from "../shared/shared_memory.ts";
import { MemoryUses } from "../shared/shared_uses.ts";
import { RefusedError } from "./control.ts";

/** Clients that are told apart, at least where they are half as many: 1.5 MB for two workers. */
const CLIENTS = 65_536;

/** Clients times workers: many workers tell fewer apart, and have less each. */
const CLIENT_COUNTS = 2 ** 22;

/** What they are shared with. */
export interface SharedCountsOptions {
  /** How many workers there are. */
  readonly workers: number;
  /** The seat of this one. */
  readonly seat: number;
  readonly source: SharedSource;
}

/** One worker's view of it; with one worker there is nothing to share. */
export class SharedCounts {
  readonly #options: SharedCountsOptions;
  readonly #clients: SharedRequest;

  constructor(options: SharedCountsOptions) {
    this.#options = options;
    this.#clients = {
      plugin: "",
      name: "clients",
      kind: "uses",
      entries: Math.min(CLIENTS, Math.floor(CLIENT_COUNTS / options.workers)),
    };
  }

  /** Counts the connections of the address of this bind key. Rejects with a {@linkcode RefusedError}. */
  async connections(key: string): Promise<SeatCounts | undefined> {
    const memory = await this.#memory(connectionsAt(key));
    return memory && new SeatCounts(memory, this.#options.seat);
  }

  /** Counts the connections of clients at all addresses. Rejects with a {@linkcode RefusedError}. */
  async clients(): Promise<SharedUses | undefined> {
    const memory = await this.#memory(this.#clients);
    return memory && new MemoryUses(memory, this.#options.seat);
  }

  /** Counts those that wait for a slot of this cluster. Rejects with a {@linkcode RefusedError}. */
  async waiting(cluster: string): Promise<SeatCounts | undefined> {
    const memory = await this.#memory(waitingAt(cluster));
    return memory && new SeatCounts(memory, this.#options.seat);
  }

  /** What listeners of these bind keys use, by `sharedKey`; `clients` says that some count these. */
  memories(keys: readonly string[], clients: boolean): string[] {
    const requests = keys.map(connectionsAt);
    if (clients) requests.push(this.#clients);
    return this.#keysOf(requests);
  }

  /** What the queues of these clusters use, by `sharedKey`. */
  queueMemories(clusters: Iterable<string>): string[] {
    return this.#keysOf(Array.from(clusters, waitingAt));
  }

  #keysOf(requests: readonly SharedRequest[]): string[] {
    return this.#options.workers === 1 ? [] : requests.map(sharedKey);
  }

  async #memory(
    request: SharedRequest,
  ): Promise<SharedArrayBuffer | undefined> {
    const { workers, source } = this.#options;
    if (workers === 1) return undefined;
    try {
      return await source(request);
    } catch (thrown) {
      throw new RefusedError([
        `Cannot count over all workers: ${(thrown as Error).message}`,
      ]);
    }
  }
}

function connectionsAt(key: string): SharedRequest {
  return { plugin: "", name: `listener ${key}`, kind: "seats", entries: 0 };
}

function waitingAt(cluster: string): SharedRequest {
  return { plugin: "", name: `queue ${cluster}`, kind: "seats", entries: 0 };
}
