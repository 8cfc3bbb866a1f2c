/**
 * The memories that plugins share over workers: one owner makes them, and gives
 * the same to whoever asks for the same.
 *
 * @module
 */
import {
  loseSeatCount,
  openSeatCount,
  seatCountsBytes,
} from "./seat_counts.ts";
import { COUNTER_BYTES } from "./shared_counter.ts";
import { initMap, mapBytes } from "./shared_map.ts";
import { forgetUses, initUses, usesBytes } from "./shared_uses.ts";

/** Which memory is wanted. */
export interface SharedRequest {
  /** The name of the plugin's instance; empty for what is no plugin's. */
  readonly plugin: string;
  /** Its name in the plugin. */
  readonly name: string;
  readonly kind: "counter" | "map" | "uses" | "seats";
  /** How many entries it has at least; 0 for a counter and for seats. */
  readonly entries: number;
}

/** Gives the memory; rejects with a `RangeError` where there would be too much of it. */
export type SharedSource = (
  request: SharedRequest,
) => Promise<SharedArrayBuffer>;

/** Bytes of all memories together. */
const MAX_BYTES = 256 * 1024 * 1024;

/** What tells one memory from another. */
export function sharedKey(request: SharedRequest): string {
  const { plugin, name, kind, entries } = request;
  return JSON.stringify([plugin, name, kind, entries]);
}

/** The memories of one proxy. */
export class SharedMemory {
  readonly #all = new Map<string, SharedArrayBuffer>();
  /** Those of `uses`, and of `seats`. */
  readonly #uses = new Set<SharedArrayBuffer>();
  readonly #counts = new Set<SharedArrayBuffer>();
  readonly #seats: number;
  #bytes = 0;

  /** How many seats workers have; each seat's uses are counted apart. */
  constructor(seats = 1) {
    this.#seats = seats;
  }

  /** The memory of this request, a new one where nobody asked for it before. Throws a `RangeError` where all together would be more than 256 MiB. */
  get(request: SharedRequest): SharedArrayBuffer {
    const key = sharedKey(request);
    const known = this.#all.get(key);
    if (known !== undefined) return known;
    const { plugin, name } = request;
    const bytes = this.#bytesOf(request);
    if (this.#bytes + bytes > MAX_BYTES) {
      throw new RangeError(
        `Cannot share ${bytes} bytes for "${name}" of plugin "${plugin}": plugins share ${this.#bytes} of at most ${MAX_BYTES} bytes`,
      );
    }
    const memory = this.#make(request, bytes);
    this.#all.set(key, memory);
    this.#bytes += bytes;
    return memory;
  }

  /** The worker of this seat is gone: nothing is under way there. */
  forgetSeat(seat: number): void {
    for (const memory of this.#uses) forgetUses(memory, seat);
    for (const memory of this.#counts) loseSeatCount(memory, seat);
  }

  /** A worker is about to take this seat. */
  openSeat(seat: number): void {
    for (const memory of this.#uses) forgetUses(memory, seat);
    for (const memory of this.#counts) openSeatCount(memory, seat);
  }

  /** Forgets all but these, by {@linkcode sharedKey}; who holds another goes on with it. */
  keep(keys: ReadonlySet<string>): void {
    for (const [key, memory] of this.#all) {
      if (keys.has(key)) continue;
      this.#all.delete(key);
      this.#uses.delete(memory);
      this.#counts.delete(memory);
      this.#bytes -= memory.byteLength;
    }
  }

  #bytesOf({ kind, entries }: SharedRequest): number {
    switch (kind) {
      case "counter":
        return COUNTER_BYTES;
      case "map":
        return mapBytes(entries);
      case "uses":
        return usesBytes(entries, this.#seats);
      case "seats":
        return seatCountsBytes(this.#seats);
    }
  }

  #make({ kind }: SharedRequest, bytes: number): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(bytes);
    if (kind === "map") initMap(memory);
    else if (kind === "uses") {
      initUses(memory, this.#seats);
      this.#uses.add(memory);
    } else if (kind === "seats") this.#counts.add(memory);
    return memory;
  }
}
