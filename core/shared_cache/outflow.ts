/**
 * A body that goes to another worker, a window of it ahead of what is read there.
 *
 * @module
 */
import { asProxyError, type ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import { STREAM_WINDOW } from "./protocol.ts";
import type { Piece } from "./slab.ts";

/** Where a body goes. */
export interface OutflowTarget {
  /** Copies bytes for the other worker. */
  pack(bytes: Uint8Array): Piece[];
  /** Takes them. */
  bytes(pieces: readonly Piece[], last: boolean): void;
  broken(error: ProxyError): void;
}

/** Bytes that one message brings about: each costs much the same, whatever it brings. */
const MESSAGE = 128 << 10;

/** A body. */
export class Outflow {
  readonly #body: BodyReader;
  readonly #target: OutflowTarget;
  /** Bytes that may go. */
  #room = STREAM_WINDOW;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(body: BodyReader, target: OutflowTarget) {
    this.#body = body;
    this.#target = target;
  }

  /** Sends it; resolves when all is sent or it was stopped. Never rejects. */
  async run(): Promise<void> {
    const body = this.#body;
    try {
      while (!this.#over) {
        if (this.#room <= 0) {
          await new Promise<void>((resolve) => this.#wake = resolve);
          continue;
        }
        // What is stored in memory is at hand; what comes is waited for.
        if (!body.advance()) await body.next();
        if (this.#over) return;
        this.#send();
        if (body.last) this.#over = true;
      }
    } catch (thrown) {
      if (!this.#over) this.#target.broken(asProxyError(thrown));
      this.#over = true;
    }
  }

  /** The piece at hand goes, with those that are at hand behind it. */
  #send(): void {
    const body = this.#body;
    const pieces: Piece[] = [];
    const most = Math.min(MESSAGE, this.#room);
    let count = 0;
    do {
      const { bytes, start, end } = body;
      if (end === start) continue;
      pieces.push(...this.#target.pack(bytes.subarray(start, end)));
      count += end - start;
    } while (!body.last && count < most && body.advance());
    this.#room -= count;
    if (count > 0 || body.last) this.#target.bytes(pieces, body.last);
  }

  /** So many bytes more may go. */
  more(count: number): void {
    this.#room += count;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** The rest is not wanted. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#body.cancel();
    this.more(0);
  }
}
