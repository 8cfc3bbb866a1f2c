/**
 * The cases of Autobahn's test suite that are about bytes: UTF-8 (6), closing
 * (7) and the lengths of control frames (2), each cut everywhere by
 * `frame_reader_test.ts` and told to peers by `websocket_link_test.ts`.
 *
 * @module
 */
import {
  closePayload,
  readClosePayload,
} from "../../../core/websocket/close_payload.ts";
import { FrameReader } from "../../../core/websocket/frame_reader.ts";
import { WebSocketError } from "../../../core/websocket/websocket_error.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

/** What a server's unmasked frames come to. */
function read(...frames: readonly (readonly number[])[]): string[] {
  const seen: string[] = [];
  const reader = new FrameReader({
    message: (kind, bytes, start, end) =>
      void seen.push(
        `${kind} ${new TextDecoder().decode(bytes.slice(start, end))}`,
      ),
    control: (opcode, _bytes, start, end) =>
      void seen.push(`${opcode} ${end - start} bytes`),
  }, { sender: "server", maxMessage: 1 << 20 });
  const bytes = new Uint8Array(frames.flat());
  reader.read(bytes, 0, bytes.length, 1 << 20);
  return seen;
}

function codeOf(call: () => unknown): number {
  return assertThrows(call, WebSocketError).code;
}

const WELL: readonly string[] = [
  "",
  "Hello-µ@ßöäüàá-UTF-8!!",
  "κόσμε",
  "\u0000",
  "\u0080",
  "\u0800",
  "\u{10000}",
  "\u007f",
  "\u07ff",
  "\uffff",
  "\ufffe",
  "\u{10ffff}",
  "\ud7ff",
  "\ue000",
  "\ufffd",
];

Deno.test("Autobahn 6: text that is UTF-8 is taken, whole and cut between any of its bytes", () => {
  for (const text of WELL) {
    const bytes = [...new TextEncoder().encode(text)];
    assertEquals(read([0x81, bytes.length, ...bytes]), [`1 ${text}`]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      assertEquals(
        read(
          [0x01, cut, ...bytes.slice(0, cut)],
          [0x80, bytes.length - cut, ...bytes.slice(cut)],
        ),
        [`1 ${text}`],
      );
    }
  }
});

const BROKEN: readonly (readonly number[])[] = [
  // A surrogate within good text, 6.3.
  [0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xed, 0xa0, 0x80, 0x65, 0x64],
  // Above U+10FFFF, 6.4.
  [0xf4, 0x90, 0x80, 0x80],
  // Five and six bytes, 6.7.
  [0xf8, 0x88, 0x80, 0x80, 0x80],
  [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
  [0xf7, 0xbf, 0xbf, 0xbf],
  // Lone continuations, 6.11.
  [0x80],
  [0xbf],
  [0x80, 0xbf, 0x80],
  // Lone starts, 6.12.
  [0xc0, 0x20],
  [0xe0, 0x20],
  [0xf0, 0x20],
  // The last byte is missing, 6.13.
  [0xdf],
  [0xe0, 0x80],
  [0xef, 0xbf],
  [0xf0, 0x80, 0x80],
  // Impossible bytes, 6.14.
  [0xfe],
  [0xff],
  // Overlong forms, 6.15 to 6.17.
  [0xc0, 0xaf],
  [0xe0, 0x80, 0xaf],
  [0xf0, 0x80, 0x80, 0xaf],
  [0xc1, 0xbf],
  [0xe0, 0x9f, 0xbf],
  [0xf0, 0x8f, 0xbf, 0xbf],
  // Single and paired surrogates, 6.18, 6.19.
  [0xed, 0xaf, 0xbf],
  [0xed, 0xbf, 0xbf],
  [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
];

Deno.test("Autobahn 6: text that is no UTF-8 is 1007, whole and in fragments; as binary it is nobody's affair", () => {
  for (const bytes of BROKEN) {
    const { length } = bytes;
    assertEquals(codeOf(() => read([0x81, length, ...bytes])), 1007);
    assertEquals(
      codeOf(() =>
        read([0x01, 1, bytes[0]!], [0x80, length - 1, ...bytes.slice(1)])
      ),
      1007,
    );
    assertEquals(read([0x82, length, ...bytes]).length, 1);
  }
});

Deno.test("Autobahn 7.7, 7.9: which close codes are taken", () => {
  const read = (code: number) => {
    const payload = new Uint8Array([code >> 8, code & 255]);
    return readClosePayload(payload, 0, 2).code;
  };
  for (
    const code of [
      1000,
      1001,
      1002,
      1003,
      1007,
      1008,
      1009,
      1010,
      1011,
      1012,
      1013,
      3000,
      3999,
      4000,
      4999,
    ]
  ) assertEquals(read(code), code);
  for (
    const code of [
      0,
      999,
      1004,
      1005,
      1006,
      1015,
      1016,
      1100,
      2000,
      2999,
      5000,
      65_535,
    ]
  ) assertEquals(codeOf(() => read(code)), 1002, `${code}`);
});

Deno.test("Autobahn 7.3, 7.5: payloads of a Close", () => {
  const parse = (...bytes: number[]) =>
    readClosePayload(new Uint8Array(bytes), 0, bytes.length);
  assertEquals(parse(), { code: 1005, reason: "" });
  assertEquals(codeOf(() => parse(3)), 1002);
  assertEquals(parse(3, 0xe8, 0x6f, 0x6b), { code: 1000, reason: "ok" });
  const longest = new Array(123).fill(0x2a);
  assertEquals(parse(3, 0xe8, ...longest).reason.length, 123);
  assertEquals(
    codeOf(() => parse(3, 0xe8, 0xce, 0xba, 0xed, 0xa0, 0x80)),
    1007,
  );
  // What is sent fits, and is cut between characters.
  const sent = closePayload(1000, "é".repeat(100));
  assertEquals(sent.length, 124);
  assertEquals(readClosePayload(sent, 0, sent.length).reason, "é".repeat(61));
});

Deno.test("Autobahn 2, 3, 4, 5: control frames and fragments", () => {
  const filled = (count: number) => new Array(count).fill(0x2a);
  assertEquals(read([0x89, 0], [0x89, 125, ...filled(125)], [0x8a, 0]), [
    "9 0 bytes",
    "9 125 bytes",
    "10 0 bytes",
  ]);
  assertEquals(codeOf(() => read([0x89, 126, 0, 126, ...filled(126)])), 1002);
  // Reserved bits and opcodes.
  for (const first of [0xc1, 0xa1, 0x91, 0xf1, 0xc9, 0x83, 0x87, 0x8b, 0x8f]) {
    assertEquals(codeOf(() => read([first, 1, 0x61])), 1002, `${first}`);
  }
  // Fragmented control frames, and continuations of nothing, 5.1, 5.2, 5.9 to 5.18.
  assertEquals(codeOf(() => read([0x09, 0])), 1002);
  assertEquals(codeOf(() => read([0x0a, 0])), 1002);
  assertEquals(codeOf(() => read([0x80, 1, 0x61])), 1002);
  assertEquals(codeOf(() => read([0x00, 1, 0x61])), 1002);
  assertEquals(codeOf(() => read([0x81, 1, 0x61], [0x80, 1, 0x62])), 1002);
  assertEquals(codeOf(() => read([0x01, 1, 0x61], [0x81, 1, 0x62])), 1002);
  // Pings between fragments, 5.6 to 5.8, 5.19, 5.20.
  assertEquals(
    read(
      [0x01, 1, 0x61],
      [0x89, 1, 0x70],
      [0x00, 1, 0x62],
      [0x89, 0],
      [0x80, 1, 0x63],
    ),
    ["9 1 bytes", "9 0 bytes", "1 abc"],
  );
});
