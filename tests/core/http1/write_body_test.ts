import { writeMessage } from "../../../core/http1/write_body.ts";
import { ProxyError } from "../../../core/errors.ts";
import { type BodyReader, HEADROOM } from "../../../core/message/body.ts";
import { BytesBody } from "../../../core/message/made_bodies.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { patternBytes, readAll } from "../../support/byte_streams.ts";
import { latin1Bytes, latin1Text } from "../../support/latin1.ts";
import { pipedSocket } from "../../support/piped_socket.ts";
import { parseChunks } from "../../support/raw_responses.ts";

/** A body of pieces, of which the first ones are at hand. */
class Pieces implements BodyReader {
  bytes = new Uint8Array(0);
  start = 0;
  end = 0;
  last = false;
  headroom = HEADROOM;
  readonly tailroom: number;
  readonly #pieces: string[];
  #atHand: number;

  constructor(pieces: readonly string[], atHand = 0, tailroom = 0) {
    this.#pieces = [...pieces];
    this.#atHand = atHand;
    this.tailroom = tailroom;
  }

  advance(): boolean {
    return this.#atHand-- > 0 && this.#take();
  }

  next(): Promise<boolean> {
    return Promise.resolve(this.#take());
  }

  cancel(): void {}

  #take(): boolean {
    const piece = this.#pieces.shift();
    if (piece === undefined) return false;
    this.bytes = new Uint8Array(HEADROOM + piece.length + this.tailroom);
    this.bytes.set(latin1Bytes(piece), HEADROOM);
    this.start = HEADROOM;
    this.end = HEADROOM + piece.length;
    this.last = this.#pieces.length === 0;
    return true;
  }
}

/** What is written of a head and a body, and in how many writes. */
async function written(
  body: BodyReader | null,
  options: { readonly chunked?: boolean; readonly length?: number } = {},
): Promise<{ text: string; writes: number }> {
  const { socket, peer, buffers } = pipedSocket();
  const out = buffers.medium.take();
  out.set(latin1Bytes("HEAD\r\n\r\n"));
  let writes = 0;
  const write = socket.write.bind(socket);
  socket.write = (...args) => {
    writes++;
    return write(...args);
  };
  const all = readAll(peer);
  try {
    await writeMessage(socket, out, 8, body, {
      chunked: options.chunked ?? false,
      length: options.length ?? -1,
      buffers,
    });
  } finally {
    socket.close();
    await all;
  }
  return { text: latin1Text(await all), writes };
}

Deno.test("writeMessage() sends a head without a body, or with a small one that is at hand, in one write", async () => {
  assertEquals(await written(null), {
    text: "HEAD\r\n\r\n",
    writes: 1,
  });
  const small = new BytesBody(latin1Bytes("hello"));
  assertEquals(await written(small, { length: 5 }), {
    text: "HEAD\r\n\r\nhello",
    writes: 1,
  });
  const chunked = new BytesBody(latin1Bytes("hello"));
  assertEquals(await written(chunked, { chunked: true }), {
    text: "HEAD\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    writes: 1,
  });
  const empty = new BytesBody(new Uint8Array(0));
  assertEquals(
    (await written(empty, { chunked: true })).text,
    "HEAD\r\n\r\n0\r\n\r\n",
  );
});

Deno.test("writeMessage() does not keep a head waiting for its body", async () => {
  const sized = await written(new Pieces(["abc", "de"]), { length: 5 });
  assertEquals(sized, { text: "HEAD\r\n\r\nabcde", writes: 3 });
  const chunked = await written(new Pieces(["abc", "de"], 1), {
    chunked: true,
  });
  assertEquals(chunked, {
    text: "HEAD\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    writes: 2,
  });
});

Deno.test("writeMessage() frames large pieces whole, whatever room is around them", async () => {
  const large = latin1Text(patternBytes(200_000));
  for (const tailroom of [0, 2, 7, 100]) {
    for (const atHand of [0, 2]) {
      const pieces = [large, "small", large];
      const body = new Pieces(pieces, atHand, tailroom);
      body.headroom = tailroom === 7 ? 0 : HEADROOM;
      const { text } = await written(body, { chunked: true });
      const { data, complete, end } = parseChunks(text, 8);
      assert(data === pieces.join(""), `tailroom ${tailroom}`);
      assertEquals([complete, end], [true, text.length]);
    }
  }
});

Deno.test("writeMessage() refuses a body of another length than declared, before a byte too many is out", async () => {
  const cases: [BodyReader, number][] = [
    [new BytesBody(latin1Bytes("hello")), 4],
    [new BytesBody(latin1Bytes("hello")), 6],
    [new Pieces(["abc", "de"]), 4],
    [new Pieces(["abc", "de"]), 6],
    [new Pieces(["abc", "de"], 1), 2],
  ];
  for (const [body, length] of cases) {
    const { code } = await assertRejects(
      () => written(body, { length }),
      ProxyError,
    );
    assertEquals(code, "response_truncated");
  }
});
