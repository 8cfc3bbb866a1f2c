/**
 * Bodies that were read whole.
 *
 * @module
 */
import {
  BufferedBody,
  checkBuffered,
  MAX_JSON,
} from "../../../core/message/buffered_body.ts";
import { ProxyError } from "../../../core/errors.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

async function inPieces(
  bytes: Uint8Array,
  size: number,
  limits = { bytes: bytes.length, disk: 1 << 20 },
): Promise<BufferedBody> {
  const body = new BufferedBody(limits);
  for (let at = 0; at < bytes.length; at += size) {
    await body.append(bytes.subarray(at, at + size));
  }
  return body;
}

Deno.test("BufferedBody.json reads JSON however it came in pieces", async () => {
  const bytes = utf8('{"a":"é🦊","b":[1]}');
  for (let size = 1; size <= bytes.length; size++) {
    const body = await inPieces(bytes, size);
    assertEquals(body.json(), { a: "é🦊", b: [1] });
    assert(body.json() === body.json(), "parsed once");
    // Nobody's reading moved.
    assertEquals(body.last, false);
  }
});

Deno.test("BufferedBody.json: undefined for what is none", () => {
  for (const text of ["", "{", "{} x", "\u0000", "{'a':1}"]) {
    assertEquals(BufferedBody.of(utf8(text)).json(), undefined);
  }
  for (const bytes of [[0x22, 0xff, 0x22], [0x22, 0xc3]]) {
    assertEquals(BufferedBody.of(Uint8Array.from(bytes)).json(), undefined);
  }
  const deep = "[".repeat(MAX_JSON);
  assertEquals(BufferedBody.of(utf8(deep)).json(), undefined);
});

Deno.test("BufferedBody.json looks into no more than it may, and not at the disk", async () => {
  const longest = utf8(`"${"x".repeat(MAX_JSON - 2)}"`);
  assertEquals(typeof BufferedBody.of(longest).json(), "string");
  const longer = utf8(`"${"x".repeat(MAX_JSON - 1)}"`);
  assertEquals(BufferedBody.of(longer).json(), undefined);
  const onDisk = await inPieces(utf8("[1]"), 1, { bytes: 2, disk: 10 });
  assertEquals(onDisk.json(), undefined);
  onDisk.dispose();
});

Deno.test("BufferedBody.of is the body itself", async () => {
  const body = BufferedBody.of(utf8("hello"));
  assertEquals([body.length, body.last], [5, false]);
  assertEquals(await body.read(), utf8("hello"));
  assertEquals([BufferedBody.of(utf8("")).last, body.advance()], [true, true]);
  assertEquals(body.bytes.subarray(body.start, body.end), utf8("hello"));
  assertEquals(body.last, true);
});

Deno.test("checkBuffered: both bounds together, and none for an unknown length", () => {
  for (const length of [-1, 0, 30]) {
    checkBuffered(length, { bytes: 10, disk: 20 });
  }
  checkBuffered(10, { bytes: 10, disk: undefined });
  for (const [length, disk] of [[31, 20], [11, undefined]] as const) {
    const error = assertThrows(
      () => checkBuffered(length, { bytes: 10, disk }),
      ProxyError,
      `exceeds the ${10 + (disk ?? 0)} bytes`,
    );
    assertEquals(error.code, "body_too_large");
  }
});

Deno.test("BufferedBody is given in few pieces, however small those were that it came in", async () => {
  const body = await inPieces(utf8("x".repeat(10_000)), 1);
  const given: number[] = [];
  while (!body.last) {
    assert(body.advance());
    given.push(body.end - body.start);
  }
  assertEquals(given.reduce((sum, length) => sum + length), 10_000);
  assert(given.length < 20, `${given.length} pieces`);
});
