/**
 * What the workers' listeners know of each other's connections, so that limits
 * hold over all workers.
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
export interface SharedGuestsOptions {
  /** How many workers there are. */
  readonly workers: number;
  /** The seat of this one. */
  readonly seat: number;
  readonly source: SharedSource;
}

/** One worker's view of it; with one worker there is nothing to share. */
export class SharedGuests {
  readonly #options: SharedGuestsOptions;
  readonly #clients: SharedRequest;

  constructor(options: SharedGuestsOptions) {
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

  /** What listeners of these bind keys use, by `sharedKey`; `clients` says that some count these. */
  memories(keys: readonly string[], clients: boolean): string[] {
    if (this.#options.workers === 1) return [];
    const requests = keys.map(connectionsAt);
    if (clients) requests.push(this.#clients);
    return requests.map(sharedKey);
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
        `Cannot count connections over all workers: ${
          (thrown as Error).message
        }`,
      ]);
    }
  }
}

function connectionsAt(key: string): SharedRequest {
  return { plugin: "", name: key, kind: "seats", entries: 0 };
}
