/**
 * Connections of a listener that are open: how many, and how many of each
 * client.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";

/** A connection as whoever serves it tells its listener of it. */
export interface Guest {
  /**
   * Counts it for its client's address, once that is known. Throws
   * `too_many_connections` where that has its share already.
   */
  admit(address: string): void;
  /** It is closed. */
  left(): void;
}

/** All that are open. */
export class Guests {
  /** How many there are. */
  open = 0;
  readonly #perAddress = new Map<string, number>();
  readonly #onLeft: () => void;

  /** `onLeft` is called after each one that leaves. */
  constructor(onLeft: () => void) {
    this.#onLeft = onLeft;
  }

  /** One more, of whose client's address at most so many may be open. */
  enter(most: number): Guest {
    this.open++;
    return new Counted(this, most);
  }

  /** Counts one for an address; how many others it has. */
  add(address: string): number {
    const others = this.#perAddress.get(address) ?? 0;
    this.#perAddress.set(address, others + 1);
    return others;
  }

  /** One leaves, of an address that it was counted for. */
  leave(address: string | undefined): void {
    this.open--;
    if (address !== undefined) {
      const others = this.#perAddress.get(address)! - 1;
      if (others === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, others);
    }
    this.#onLeft();
  }
}

/** One of them. No closures: there is one per connection. */
class Counted implements Guest {
  readonly #guests: Guests;
  readonly #most: number;
  #address: string | undefined;

  constructor(guests: Guests, most: number) {
    this.#guests = guests;
    this.#most = most;
  }

  admit(address: string): void {
    this.#address = address;
    const others = this.#guests.add(address);
    if (others < this.#most) return;
    throw new ProxyError(
      "too_many_connections",
      `${address} has ${others} connections open already`,
    );
  }

  left(): void {
    this.#guests.leave(this.#address);
  }
}
