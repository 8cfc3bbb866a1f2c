/**
 * Several addresses of one name, raced: the next one starts where the one
 * before failed or takes long, and the first connection wins (RFC 8305, "Happy
 * Eyeballs" version 2).
 *
 * @module
 */
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { SocketAddress } from "../plugin.ts";

/** A race's surroundings. */
export interface RaceOptions<T> {
  readonly deadlines: Deadlines;
  /** Tries one address; gives up when the signal fires. Rejects where it can't be had. */
  readonly connect: (
    address: SocketAddress,
    signal: AbortSignal,
  ) => Promise<T>;
  /** Ends a connection that came too late. */
  readonly discard: (connection: T) => void;
  /** An address failed, or was overtaken by one that began later. */
  readonly slow?: ((address: SocketAddress) => void) | undefined;
}

/** What a race is won with. */
export interface Won<T> {
  readonly connection: T;
  readonly remote: SocketAddress;
}

/** RFC 8305 §5's Connection Attempt Delay, in milliseconds. */
const ATTEMPT_DELAY = 250;

/**
 * The addresses in the order to try them: as they come, but the families take
 * turns, so that one whose network is dead costs one delay and not many (RFC
 * 8305 §4).
 */
export function interleave(
  addresses: readonly SocketAddress[],
): SocketAddress[] {
  const first = addresses.filter((a) => isIPv6(a) === isIPv6(addresses[0]!));
  const second = addresses.filter((a) => isIPv6(a) !== isIPv6(addresses[0]!));
  if (second.length === 0) return first;
  return first.flatMap((address, i) => [address, second[i] ?? []].flat())
    .concat(second.slice(first.length));
}

/** Races them. Rejects with what the last failure was, once all have failed. */
export function race<T>(
  addresses: readonly SocketAddress[],
  options: RaceOptions<T>,
): Promise<Won<T>> {
  return new Race(interleave(addresses), options).result;
}

class Race<T> implements Expiring {
  place = NOWHERE;
  deadline = Infinity;
  readonly #addresses: readonly SocketAddress[];
  readonly #options: RaceOptions<T>;
  readonly #won = Promise.withResolvers<Won<T>>();
  readonly #running = new Map<SocketAddress, AbortController>();
  #next = 0;
  #over = false;

  constructor(addresses: readonly SocketAddress[], options: RaceOptions<T>) {
    this.#addresses = addresses;
    this.#options = options;
    options.deadlines.add(this);
    this.#start();
  }

  get result(): Promise<Won<T>> {
    return this.#won.promise;
  }

  /** The one that runs takes long. */
  expire(): void {
    this.#start();
  }

  #start(): void {
    const remote = this.#addresses[this.#next++]!;
    const controller = new AbortController();
    this.#running.set(remote, controller);
    const more = this.#next < this.#addresses.length;
    const { deadlines } = this.#options;
    this.deadline = more ? deadlines.after(ATTEMPT_DELAY) : Infinity;
    this.#try(remote, controller.signal);
  }

  async #try(
    remote: SocketAddress,
    signal: AbortSignal,
  ): Promise<void> {
    const { connect, discard, slow } = this.#options;
    try {
      const connection = await connect(remote, signal);
      this.#running.delete(remote);
      if (this.#over) discard(connection);
      else this.#end(() => this.#won.resolve({ connection, remote }));
    } catch (thrown) {
      this.#running.delete(remote);
      if (this.#over) return;
      slow?.(remote);
      if (this.#next < this.#addresses.length) this.#start();
      else if (this.#running.size === 0) {
        this.#end(() => this.#won.reject(thrown));
      }
    }
  }

  #end(settle: () => void): void {
    this.#over = true;
    const { deadlines, slow } = this.#options;
    deadlines.delete(this);
    for (const [remote, controller] of this.#running) {
      slow?.(remote);
      controller.abort();
    }
    settle();
  }
}

function isIPv6({ address }: SocketAddress): boolean {
  return address.includes(":");
}
