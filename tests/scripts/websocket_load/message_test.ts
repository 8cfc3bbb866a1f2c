/** The load's messages: told apart by every byte. */
import fc from "fast-check";
import { assertEquals } from "../../support/assert.ts";
import {
  kindOf,
  MIN_MESSAGE,
  readMessage,
  writeMessage,
} from "../../../scripts/websocket_load/message.ts";
import { CONNECTIONS } from "../../../scripts/websocket_load/records.ts";

const SIZE = 40;

const message = fc.record({
  sender: fc.nat(100 * CONNECTIONS),
  number: fc.integer({ min: 1, max: 1e7 }),
  answers: fc.nat(1e7),
});

Deno.test("load message: what is written is read, wherever it lies, and is ASCII (property)", () => {
  fc.assert(fc.property(message, fc.nat(5), (said, at) => {
    const bytes = new Uint8Array(SIZE);
    writeMessage(bytes, said);
    assertEquals(bytes.every((byte) => byte < 0x80), true);
    const held = new Uint8Array(at + SIZE + 3);
    held.set(bytes, at);
    assertEquals(
      readMessage(kindOf(said.number), held, at, at + SIZE, SIZE),
      said,
    );
  }));
});

Deno.test("load message: another size, kind or byte is damage", () => {
  const bytes = new Uint8Array(SIZE);
  writeMessage(bytes, { sender: 1, number: 2, answers: 3 });
  assertEquals(readMessage(2, bytes, 0, SIZE - 1, SIZE), undefined);
  assertEquals(readMessage(1, bytes, 0, SIZE, SIZE), undefined);
  for (let at = MIN_MESSAGE; at < SIZE; at++) {
    const damaged = bytes.slice();
    damaged[at]! ^= 1;
    assertEquals(readMessage(2, damaged, 0, SIZE, SIZE), undefined);
  }
});
