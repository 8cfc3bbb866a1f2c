/**
 * Bodies that go from a worker that owns keys to one other worker.
 *
 * @module
 */
import type { BodyReader } from "../message/body.ts";
import { Outflow } from "./outflow.ts";
import type { Tell } from "./protocol.ts";
import { buffersOf, type Piece } from "./slab.ts";

/** Where they go. */
export interface OwnedStreamsParts {
  /** Copies bytes for the other worker. */
  readonly pack: (bytes: Uint8Array) => Piece[];
  readonly post: (message: Tell, transfer?: Transferable[]) => void;
  /** All of a body is sent, or it was stopped. */
  readonly over: (id: number) => void;
}

/** Bodies, by the numbers that they were asked for under. */
export class OwnedStreams {
  readonly #parts: OwnedStreamsParts;
  readonly #streams = new Map<number, Outflow>();

  constructor(parts: OwnedStreamsParts) {
    this.#parts = parts;
  }

  /** Sends a body. */
  send(id: number, body: BodyReader): void {
    const { pack, post, over } = this.#parts;
    const stream = new Outflow(body, {
      pack,
      bytes: (pieces, last) =>
        post({ tell: "bytes", id, pieces, last }, buffersOf(pieces)),
      broken: ({ code, message }) =>
        post({ tell: "broken", id, code, message }),
    });
    this.#streams.set(id, stream);
    stream.run().then(() => {
      this.#streams.delete(id);
      over(id);
    });
  }

  /** There is no such body any more. */
  gone(id: number): void {
    this.#parts.post({
      tell: "broken",
      id,
      code: "cache_failed",
      message: "The stored response is gone",
    });
  }

  /** So many bytes of a body were read. */
  more(id: number, count: number): void {
    this.#streams.get(id)?.more(count);
  }

  /** The rest of a body is not wanted. */
  stop(id: number): void {
    this.#streams.get(id)?.stop();
  }

  /** The other worker is gone. */
  stopAll(): void {
    for (const stream of [...this.#streams.values()]) stream.stop();
  }
}
