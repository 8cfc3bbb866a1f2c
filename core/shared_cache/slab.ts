/**
 * Memory through which bodies go from one worker to others: a piece is copied
 * in here and out there. Buffers that go with messages cost four times as much
 * (measured per MiB, both sides: 390 µs of CPU against 90), most of it for memory
 * that is allocated, faulted in and collected again.
 *
 * Whoever sends takes a slot, whoever reads gives it back; where none is free
 * bytes go with their message.
 *
 * @module
 */

/** Bytes of a slot: those of a piece in memory. */
export const SLOT = 64 << 10;
/** How many there are; what was never used takes no memory. */
const SLOTS = 64;
/** Fewer bytes are not worth a slot. */
const LEAST = 4 << 10;
const HEADER = SLOTS * Int32Array.BYTES_PER_ELEMENT;

/** Bytes that lie in a slot. */
export interface SlotPiece {
  readonly slot: number;
  readonly length: number;
  /** Where that is; known to who got it. */
  slab?: Slab;
}

/** Bytes of a body on their way. */
export type Piece = Uint8Array<ArrayBuffer> | SlotPiece;

/** One sender's slots. */
export class Slab {
  readonly buffer: SharedArrayBuffer;
  readonly #taken: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  /** Who has each, as the sender knows. */
  readonly #holders: number[] = [];

  /** What another worker made; a new one where it is left out. */
  constructor(buffer = new SharedArrayBuffer(HEADER + SLOTS * SLOT)) {
    this.buffer = buffer;
    this.#taken = new Int32Array(buffer, 0, SLOTS);
    this.#bytes = new Uint8Array(buffer, HEADER);
  }

  /** Bytes for another worker, copied: in slots as long as there are some. */
  pack(bytes: Uint8Array, holder: number): Piece[] {
    const pieces: Piece[] = [];
    for (let at = 0; at < bytes.length; at += SLOT) {
      const part = bytes.subarray(at, at + SLOT);
      const slot = part.length < LEAST ? -1 : this.#take(holder);
      if (slot < 0) pieces.push(new Uint8Array(part));
      else {
        this.#bytes.set(part, slot * SLOT);
        pieces.push({ slot, length: part.length });
      }
    }
    return pieces;
  }

  #take(holder: number): number {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (Atomics.load(this.#taken, slot) !== 0) continue;
      Atomics.store(this.#taken, slot, 1);
      this.#holders[slot] = holder;
      return slot;
    }
    return -1;
  }

  /** Copies a piece out; its slot is free then. */
  unpack({ slot, length }: SlotPiece, into: Uint8Array): void {
    const start = slot * SLOT;
    into.set(this.#bytes.subarray(start, start + length));
    Atomics.store(this.#taken, slot, 0);
  }

  /** Nobody wants it. */
  free({ slot }: SlotPiece): void {
    Atomics.store(this.#taken, slot, 0);
  }

  /** A worker is gone with all that it had not read. */
  freeOf(holder: number): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#holders[slot] === holder) this.free({ slot, length: 0 });
    }
  }

  /** Slots that are taken. */
  get held(): number {
    let held = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      held += Atomics.load(this.#taken, slot);
    }
    return held;
  }
}

/** Nobody wants these bytes. */
export function drop(pieces: readonly Piece[]): void {
  for (const piece of pieces) {
    if ("slot" in piece) piece.slab!.free(piece);
  }
}

/** The buffers that go with a message of these. */
export function buffersOf(pieces: readonly Piece[]): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const piece of pieces) {
    if (!("slot" in piece)) buffers.push(piece.buffer);
  }
  return buffers;
}
