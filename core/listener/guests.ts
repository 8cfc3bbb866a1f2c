/**
 * Connections of a listener that are open: how many, and how many of each
 * client, over all workers.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { SharedUses } from "../plugin.ts";
import type { SeatCounts } from "../shared/seat_counts.ts";

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

/** How many may be open. */
export interface GuestLimits {
  readonly connections: number;
  /** Of one client's address; undefined = any number. */
  readonly connectionsPerAddress: number | undefined;
}

/** What they are counted with. */
export interface GuestsOptions {
  /** Tells the address that they come to from others. */
  readonly key: string;
  /** The same address's in all workers; undefined where there is one worker only. */
  readonly fellows: SeatCounts | undefined;
  /** Called where there may be room again. */
  readonly onRoom: () => void;
}

/** All that are open. */
export class Guests {
  /** How many there are in this worker. */
  open = 0;
  readonly #perAddress = new Map<string, number>();
  readonly #options: GuestsOptions;
  /** Counts clients' connections over all workers. */
  #clients: SharedUses | undefined;
  #watching = false;

  constructor(options: GuestsOptions) {
    this.#options = options;
  }

  /** Whether so many are open, over all workers. */
  has(most: number): boolean {
    return (this.#options.fellows?.open ?? this.open) >= most;
  }

  /** One more; undefined where there are as many as may be. */
  enter(limits: GuestLimits): Guest | undefined {
    const { fellows } = this.#options;
    const { connections } = limits;
    const hasRoom = fellows === undefined
      ? this.open < connections
      : fellows.enterBelow(connections);
    return hasRoom ? this.#count(limits) : undefined;
  }

  /** One more, however many there are. */
  enterAnyway(limits: GuestLimits): Guest {
    this.#options.fellows?.enter();
    return this.#count(limits);
  }

  /** Has `onRoom` called, too, when one leaves in another worker; who waits looks for room again after this. */
  async watch(): Promise<void> {
    const { fellows, onRoom } = this.#options;
    if (fellows === undefined || this.#watching) return;
    this.#watching = true;
    await fellows.called();
    this.#watching = false;
    onRoom();
  }

  /** From here on clients are counted there, those that are here too; undefined = in this worker alone. */
  countClientsIn(clients: SharedUses | undefined): void {
    if (clients === this.#clients) return;
    for (const [address, count] of this.#perAddress) {
      const key = this.#keyOf(address);
      for (let i = 0; i < count; i++) {
        this.#clients?.leave(key);
        clients?.enter(key);
      }
    }
    this.#clients = clients;
  }

  /** Counts one for an address; how many others it has. */
  add(address: string): number {
    const others = this.#perAddress.get(address) ?? 0;
    this.#perAddress.set(address, others + 1);
    // Where there is no room for another address this worker's own count stands.
    const all = this.#clients?.enter(this.#keyOf(address));
    return all === undefined ? others : all - 1;
  }

  /** One leaves, of an address that it was counted for. */
  leave(address: string | undefined): void {
    this.open--;
    if (address !== undefined) {
      const others = this.#perAddress.get(address)! - 1;
      if (others === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, others);
      this.#clients?.leave(this.#keyOf(address));
    }
    const { fellows, onRoom } = this.#options;
    // Where others wait, who waits here hears of it as they do.
    if (fellows?.leave() !== true) onRoom();
  }

  #count({ connectionsPerAddress = Infinity }: GuestLimits): Guest {
    this.open++;
    return new Counted(this, connectionsPerAddress);
  }

  #keyOf(address: string): string {
    return `${this.#options.key} ${address}`;
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
