/** Trailers on their way through the codec. */
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import { ChunkDecoder } from "../../../core/http1/chunk_decoder.ts";
import { decodeLatin1, encodeLatin1 } from "../../../core/http1/text.ts";
import { writeMessage } from "../../../core/http1/write_body.ts";
import {
  announcedTrailers,
  encodeTrailers,
} from "../../../core/http1/write_trailers.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { mayBeTrailer } from "../../../core/message/trailer_rules.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { readAll } from "../../support/byte_streams.ts";
import { latin1Bytes, latin1Text } from "../../support/latin1.ts";
import { pipedSocket } from "../../support/piped_socket.ts";
import { LIMITS } from "./codec.ts";

/** The trailers of a body that comes in pieces of these lengths, the last one repeated. */
function kept(body: string, lengths: readonly number[]): [string, string][] {
  const trailers = new ListFields();
  const decoder = new ChunkDecoder("bad_request", LIMITS, trailers);
  const bytes = encodeLatin1(body);
  let at = 0;
  for (let i = 0; !decoder.done; i++) {
    const length = lengths[Math.min(i, lengths.length - 1)]!;
    const end = Math.min(bytes.length, at + length);
    assertEquals(decoder.decode(bytes, at, end), end);
    at = end;
  }
  assertEquals(at, bytes.length);
  return [...trailers];
}

const SECTION = "2\r\nok\r\n0\r\n" +
  'X-T: 1\r\nHost: evil\r\nx-t:\t2 \r\nX-Empty:\r\nGrpc-Status: \xe9;a="b"\r\n\r\n';
const TRAILERS: [string, string][] = [
  ["X-T", "1"],
  ["x-t", "2"],
  ["X-Empty", ""],
  ["Grpc-Status", '\xe9;a="b"'],
];

Deno.test("trailers are kept wherever they are split, without those that no trailer may be", () => {
  for (let cut = 1; cut < SECTION.length; cut++) {
    assertEquals(kept(SECTION, [cut, SECTION.length]), TRAILERS);
  }
  assertEquals(kept(SECTION, [1]), TRAILERS);
});

Deno.test("trailers that break the rules are refused, kept or not", () => {
  for (const line of ["X", "X : 1", " X: 1", "X: \x00", ": 1", "X: 1\n"]) {
    for (const trailers of [undefined, new ListFields()]) {
      const decoder = new ChunkDecoder("bad_request", LIMITS, trailers);
      const bytes = encodeLatin1(`0\r\n${line}\r\n\r\n`);
      assertThrows(() => decoder.decode(bytes, 0, bytes.length), ProxyError);
    }
  }
});

const token = fc.string({
  unit: fc.constantFrom(..."abcXYZ019!#$%&'*+.^_`|~-"),
  minLength: 1,
}).filter((name) => mayBeTrailer(name.toLowerCase()));
const value = fc.string({ unit: fc.constantFrom(...'ab ,:;"\t\xe9~') })
  .map((text) => text.replaceAll(/^[ \t]+|[ \t]+$/g, ""));

Deno.test("what is encoded of trailers is what is read of them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(token, value), { minLength: 1 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (fields, lengths) => {
        const bytes = encodeTrailers(new ListFields(fields));
        const text = decodeLatin1(bytes, 0, bytes.length);
        assertEquals(kept(text, lengths), fields);
      },
    ),
  );
});

Deno.test("encodeTrailers() sends no text that would end a line", () => {
  for (const [name, value] of [["x\r\ny", "1"], ["x", "1\r\ny: 2"]]) {
    const trailers = new ListFields([[name!, value!]]);
    assertThrows(() => encodeTrailers(trailers), TypeError);
  }
});

Deno.test("announcedTrailers() names what will not be dropped", () => {
  const rows: readonly (readonly [readonly string[], string])[] = [
    [[], ""],
    [["X-T"], "X-T"],
    [["X-T , Host,,x-u", "\tGrpc-Status"], "X-T, x-u, Grpc-Status"],
    [["Host, content-length"], ""],
    [["a b, c\xe9, (d), e"], "e"],
  ];
  for (const [lines, announced] of rows) {
    const fields = new ListFields(lines.map((line) => ["Trailer", line]));
    assertEquals(announcedTrailers(fields), announced);
  }
});

/** A body of one piece, at hand with its trailers or not. */
function bodyOf(data: string, atHand: boolean, headroom = 16): BodyReader {
  const bytes = new Uint8Array(headroom + data.length + 20);
  bytes.set(latin1Bytes(data), headroom);
  const body = {
    bytes,
    start: headroom,
    end: headroom,
    headroom,
    tailroom: 20,
    last: false,
    trailers: new ListFields([["x-t", "1"]]),
    advance: () => atHand && take(),
    next: () => Promise.resolve(take()),
    cancel() {},
  };
  function take(): boolean {
    body.end += data.length;
    body.last = true;
    return data.length > 0 || atHand;
  }
  return body;
}

Deno.test("writeMessage() ends chunks with trailers, and forgets them where there are no chunks", async () => {
  const large = "x".repeat(100_000);
  for (const data of ["", "hello", large]) {
    for (const atHand of [true, false]) {
      for (const headroom of [0, 16]) {
        for (const chunked of [true, false]) {
          const { socket, peer, buffers } = pipedSocket();
          const all = readAll(peer);
          const out = buffers.medium.take();
          out.set(latin1Bytes("HEAD"));
          await writeMessage(socket, out, 4, bodyOf(data, atHand, headroom), {
            chunked,
            length: -1,
            buffers,
          });
          socket.close();
          const size = data === "" ? "" : `${data.length.toString(16)}\r\n`;
          const chunk = data === "" ? "" : `${size}${data}\r\n`;
          assertEquals(
            latin1Text(await all),
            chunked ? `HEAD${chunk}0\r\nx-t: 1\r\n\r\n` : `HEAD${data}`,
          );
        }
      }
    }
  }
});
