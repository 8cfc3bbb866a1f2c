/**
 * WebSocket frames of texts as bytes, for clients that read as slowly as a test
 * wants.
 *
 * @module
 */
import { bytesOf, textOf } from "./byte_streams.ts";

/** The text of a numbered message, of a length of its own. */
export function textFor(i: number): string {
  return `${i}`.padEnd(i % 300, ".");
}

/** A text in a masked frame, as clients send it; of up to 65,535 bytes. */
export function maskedFrame(text: string): Uint8Array {
  const payload = bytesOf(text);
  const { length } = payload;
  const head = length < 126
    ? [0x81, 0x80 | length]
    : [0x81, 0xfe, length >> 8, length & 255];
  // A mask of zeros leaves the payload as it is.
  return concatenate([new Uint8Array([...head, 0, 0, 0, 0]), payload]);
}

/** The frames of the numbered messages from one to before another. */
export function maskedTexts(from: number, to: number): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let i = from; i < to; i++) frames.push(maskedFrame(textFor(i)));
  return concatenate(frames);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Reads the texts of whole, unmasked frames; Pings are left out. */
export class FrameTexts {
  readonly texts: string[] = [];
  #held: Uint8Array = new Uint8Array(0);

  /** How many came so far. */
  get count(): number {
    return this.texts.length;
  }

  /** Takes what a read brought. */
  push(bytes: Uint8Array): void {
    const held = concatenate([this.#held, bytes]);
    let at = 0;
    for (;;) {
      const short = held[at + 1]!;
      const head = short === 126 ? 4 : 2;
      if (at + head > held.length) break;
      const length = short === 126 ? held[at + 2]! << 8 | held[at + 3]! : short;
      const end = at + head + length;
      if (end > held.length) break;
      if (held[at] === 0x81) {
        this.texts.push(textOf(held.slice(at + head, end)));
      }
      at = end;
    }
    this.#held = held.slice(at);
  }
}
