import fc from "fast-check";
import { FrameQueue } from "../../../core/websocket/frame_queue.ts";
import { FrameReader } from "../../../core/websocket/frame_reader.ts";
import {
  OPCODE,
  writeFrameHeader,
} from "../../../core/websocket/frame_header.ts";
import { applyMask, newMask } from "../../../core/websocket/mask.ts";
import { WebSocketError } from "../../../core/websocket/websocket_error.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

/** What a reader handed out. */
interface Seen {
  readonly opcode: number;
  readonly payload: number[];
}

function reading(
  options: {
    readonly sender?: "client" | "server";
    readonly maxMessage?: number;
  } = {},
) {
  const seen: Seen[] = [];
  const take = (
    opcode: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ) => {
    seen.push({ opcode, payload: [...bytes.subarray(start, end)] });
  };
  const reader = new FrameReader({ message: take, control: take }, {
    sender: options.sender ?? "client",
    maxMessage: options.maxMessage ?? 1 << 20,
  });
  return { reader, seen };
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: number[];
}

/** A frame's bytes. */
function frame({ opcode, final, payload }: Frame, masked = true): Uint8Array {
  const out = new Uint8Array(14 + payload.length);
  const mask = masked ? newMask() : undefined;
  const at = writeFrameHeader(out, 0, opcode, payload.length, mask);
  if (!final) out[0]! &= 0x7f;
  out.set(payload, at);
  if (mask !== undefined) applyMask(out, at, at + payload.length, mask);
  return out.subarray(0, at + payload.length);
}

function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Reads a stream that comes in pieces, as a socket's buffer of `room` bytes would hold it. */
function readInPieces(
  reader: FrameReader,
  stream: Uint8Array,
  cuts: number[],
  room: number,
) {
  const buffer = new Uint8Array(room);
  let start = 0;
  let end = 0;
  let from = 0;
  const points = [
    ...cuts.map((cut) => cut % (stream.length + 1)),
    stream.length,
  ].sort((a, b) => a - b);
  for (const to of points) {
    while (from < to) {
      if (end === room) {
        buffer.copyWithin(0, start, end);
        end -= start;
        start = 0;
      }
      const count = Math.min(to - from, room - end);
      assert(count > 0, "a full buffer that is not consumed");
      buffer.set(stream.subarray(from, from + count), end);
      from += count;
      end += count;
      start = reader.read(buffer, start, end, room);
    }
  }
  return end - start;
}

const payload = (max: number) =>
  fc.array(fc.integer({ min: 0, max: 127 }), { maxLength: max });

const message = fc.record({
  opcode: fc.constantFrom(OPCODE.text, OPCODE.binary),
  parts: fc.array(payload(200), { minLength: 1, maxLength: 4 }),
  controls: fc.array(
    fc.record({
      opcode: fc.constantFrom(OPCODE.ping, OPCODE.pong),
      payload: payload(125),
    }),
    { maxLength: 3 },
  ),
});

Deno.test("FrameReader: messages in any fragments with control frames between, cut anywhere, come out whole", () => {
  fc.assert(fc.property(
    fc.array(message, { maxLength: 5 }),
    fc.array(fc.nat(), { maxLength: 8 }),
    fc.integer({ min: 140, max: 600 }),
    fc.boolean(),
    (messages, cuts, room, masked) => {
      const frames: Frame[] = [];
      const expected: Seen[] = [];
      for (const { opcode, parts, controls } of messages) {
        parts.forEach((part, i) => {
          const final = i === parts.length - 1;
          frames.push({
            opcode: i === 0 ? opcode : OPCODE.continuation,
            final,
            payload: part,
          });
          const control = controls[i];
          if (!final && control !== undefined) {
            frames.push({ ...control, final: true });
            expected.push(control);
          }
        });
        expected.push({ opcode, payload: parts.flat() });
      }
      const { reader, seen } = reading({
        sender: masked ? "client" : "server",
      });
      const stream = concat(frames.map((each) => frame(each, masked)));
      assertEquals(readInPieces(reader, stream, cuts, room), 0);
      assertEquals(seen, expected);
    },
  ));
});

Deno.test("FrameReader: what FrameQueue writes, a reader of the other side reads", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.constantFrom(1, 2),
          fc.constantFrom(
            0,
            1,
            63,
            64,
            65,
            125,
            126,
            127,
            5_000,
            65_535,
            65_536,
            300_000,
          ),
        ),
        { maxLength: 6 },
      ),
      fc.boolean(),
      (messages, masked) => {
        const buffers = new Buffers();
        const queue = new FrameQueue(buffers, { masked });
        const sent = messages.map(([opcode, length]) => ({
          opcode,
          payload: new Array(length).fill(0).map((_, i) => i % 100),
        }));
        for (const { opcode, payload } of sent) {
          queue.add(
            opcode,
            new Uint8Array([9, ...payload, 9]),
            1,
            payload.length + 1,
          );
        }
        const parts: Uint8Array[] = [];
        for (
          let filled = queue.take();
          filled !== undefined;
          filled = queue.take()
        ) {
          parts.push(filled.bytes.slice(0, filled.end));
          buffers.give(filled.bytes);
        }
        assertEquals(queue.size, 0);
        const { reader, seen } = reading({
          sender: masked ? "client" : "server",
        });
        readInPieces(reader, concat(parts), [], 70_000);
        assertEquals(seen.length, sent.length);
        for (let i = 0; i < sent.length; i++) {
          assertEquals(seen[i]!.opcode, sent[i]!.opcode);
          assertEquals(seen[i]!.payload.join(), sent[i]!.payload.join());
        }
      },
    ),
    { numRuns: 30 },
  );
});

/** Bytes that a client must not send, with the code that it gets. */
const REFUSED: [string, number[], number][] = [
  ["an unmasked frame", [0x81, 0x01, 0x61], 1002],
  ["a reserved bit", [0xc1, 0x80, 0, 0, 0, 0], 1002],
  ["opcode 3", [0x83, 0x80, 0, 0, 0, 0], 1002],
  ["opcode 11", [0x8b, 0x80, 0, 0, 0, 0], 1002],
  ["a fragmented Ping", [0x09, 0x80, 0, 0, 0, 0], 1002],
  ["a Ping of 126 bytes", [0x89, 0xfe, 0, 126], 1002],
  ["a continuation of nothing", [0x80, 0x80, 0, 0, 0, 0], 1002],
  [
    "a message within another",
    [0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0],
    1002,
  ],
  ["a length that is not the shortest, in 2 bytes", [
    0x82,
    0xfe,
    0,
    125,
    0,
    0,
    0,
    0,
  ], 1002],
  ["a length that is not the shortest, in 8 bytes", [
    0x82,
    0xff,
    0,
    0,
    0,
    0,
    0,
    0,
    0xff,
    0xff,
    0,
    0,
    0,
    0,
  ], 1002],
  ["a length with its highest bit set", [
    0x82,
    0xff,
    0x80,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ], 1002],
  ["a message over the limit", [
    0x82,
    0xff,
    0,
    0,
    0,
    0,
    0,
    0x10,
    0,
    1,
    0,
    0,
    0,
    0,
  ], 1009],
  ["text that is no UTF-8", [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007],
  ["a surrogate", [0x81, 0x83, 0, 0, 0, 0, 0xed, 0xa0, 0x80], 1007],
];

for (const [what, bytes, code] of REFUSED) {
  Deno.test(`FrameReader: ${what} is refused with ${code}, wherever it is cut`, () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { reader, seen } = reading();
      const error = assertThrows(
        () => readInPieces(reader, new Uint8Array(bytes), [cut], 4_096),
        WebSocketError,
      );
      assertEquals(error.code, code);
      assertEquals(seen, []);
    }
  });
}

Deno.test("FrameReader: fragments count together against the limit", () => {
  const { reader } = reading({ maxMessage: 10 });
  const error = assertThrows(
    () =>
      readInPieces(
        reader,
        concat([
          frame({ opcode: 2, final: false, payload: new Array(6).fill(1) }),
          frame({ opcode: 0, final: true, payload: new Array(5).fill(1) }),
        ]),
        [],
        4_096,
      ),
    WebSocketError,
  );
  assertEquals(error.code, 1009);
});

Deno.test("FrameReader: a character cut between fragments is whole again", () => {
  const { reader, seen } = reading();
  readInPieces(
    reader,
    concat([
      frame({ opcode: 1, final: false, payload: [0xe2, 0x82] }),
      frame({ opcode: 0, final: true, payload: [0xac] }),
    ]),
    [],
    4_096,
  );
  assertEquals(seen, [{ opcode: 1, payload: [0xe2, 0x82, 0xac] }]);
});

Deno.test("FrameReader: what a head claims costs no memory before it comes", () => {
  const { reader } = reading({ maxMessage: 1 << 30 });
  readInPieces(
    reader,
    frame({ opcode: 2, final: true, payload: [] }).slice(0, 0),
    [],
    100,
  );
  const head = new Uint8Array(14);
  const at = writeFrameHeader(head, 0, 2, 1 << 29, 7);
  readInPieces(reader, head.subarray(0, at), [], 4_096);
  assert(reader.gathered <= 4_096);
});
