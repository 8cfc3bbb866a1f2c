/**
 * Idle connections to one backend, the warmest first.
 *
 * @module
 */
import type { SocketAddress } from "../plugin.ts";

/** What a pool keeps. */
export interface Pooled {
  readonly facts: { readonly remote: SocketAddress };
  /** The key of its preface, undefined where it has none. */
  readonly key: string | undefined;
  /** The pool's generation when its dial began. */
  readonly generation: number;
  readonly closed: boolean;
  close(): void;
}

/** Idle connections; those that close while they wait leave by `remove`. */
export class ConnectionPool<C extends Pooled> {
  readonly #idle: C[] = [];
  /** Connections that carry a transaction now. */
  active = 0;
  /** Grows with `renew`: connections of earlier ones are not taken back. */
  generation = 0;
  #maxIdle: number;
  #closed = false;

  /** At most `maxIdle` connections wait. */
  constructor(maxIdle: number) {
    this.#maxIdle = maxIdle;
  }

  /** Connections that wait. */
  get idle(): number {
    return this.#idle.length;
  }

  /**
   * The connection used last of those to one of these addresses that began with
   * the preface of this key, or with none: the warmest is the least likely to
   * have been closed by the backend.
   */
  take(
    addresses: readonly SocketAddress[],
    key?: string,
  ): C | undefined {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const connection = this.#idle[i]!;
      if (connection.key !== key) continue;
      if (!includes(addresses, connection.facts.remote)) continue;
      if (i === this.#idle.length - 1) this.#idle.pop();
      else this.#idle.splice(i, 1);
      return connection;
    }
    return undefined;
  }

  /** Keeps a connection for the next transaction; false where there is no room. */
  put(connection: C): boolean {
    if (this.#closed || this.#maxIdle === 0) return false;
    if (connection.generation !== this.generation) return false;
    if (this.#idle.length >= this.#maxIdle) {
      const coldest = this.#idle[0]!;
      if (coldest.key === connection.key) return false;
      // Those of a key are of use to one client, and to nobody once it has left:
      // the coldest makes room, or the dead would keep out the living.
      coldest.close();
    }
    this.#idle.push(connection);
    return true;
  }

  /** Forgets a connection that closed. */
  remove(connection: C): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** Changes how many may wait; the coldest of those that are too many close. */
  resize(maxIdle: number): void {
    this.#maxIdle = maxIdle;
    this.#closeColdest(Math.max(0, this.#idle.length - maxIdle));
  }

  /** The way to the backend is another one now: closes what waits, and what was dialled before as it comes back. */
  renew(): void {
    this.generation++;
    this.#closeColdest(this.#idle.length);
  }

  /** Closes what waits, and what comes back later. */
  close(): void {
    this.#closed = true;
    this.resize(0);
  }

  #closeColdest(count: number): void {
    for (const connection of this.#idle.splice(0, count)) connection.close();
  }
}

function includes(
  addresses: readonly SocketAddress[],
  remote: SocketAddress,
): boolean {
  for (const address of addresses) {
    if (address.port === remote.port && address.address === remote.address) {
      return true;
    }
  }
  return false;
}
