import { assertEquals, assertRejects } from "../../support/assert.ts";
import { bytesOf, textOf } from "../../support/byte_streams.ts";
import {
  type ByteStream,
  CutError,
  type Framing,
  MessageStream,
  NotHttpError,
} from "../../../scripts/soak/message_stream.ts";

/** A connection from which these texts come, each by a read of its own. */
function reading(texts: readonly string[]): ByteStream {
  const rest = texts.filter((text) => text !== "").map(bytesOf);
  return {
    read(buffer) {
      const next = rest.shift();
      if (next === undefined) return Promise.resolve(null);
      const count = Math.min(next.length, buffer.length);
      buffer.set(next.subarray(0, count));
      if (count < next.length) rest.unshift(next.subarray(count));
      return Promise.resolve(count);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    close() {},
  };
}

async function readAll(stream: MessageStream, framing: Framing) {
  let text = "";
  const count = await stream.body(framing, (piece) => {
    text += textOf(piece);
  });
  return { text, count };
}

const HEAD = "HTTP/1.1 200 OK\r\nA: b\r\nA: c\r\n\r\n";
const CHUNKED = "3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n";

Deno.test("messages are read alike wherever they are split", async () => {
  const whole = `${HEAD}${CHUNKED}${HEAD}12345`;
  for (let at = 0; at <= whole.length; at++) {
    const stream = new MessageStream(
      reading([whole.slice(0, at), whole.slice(at)]),
    );
    const head = await stream.head();
    assertEquals(head?.first, "HTTP/1.1 200 OK");
    assertEquals(head?.fields.get("a"), "b, c");
    assertEquals(await readAll(stream, "chunked"), {
      text: "abc0123456789",
      count: 13,
    });
    await stream.head();
    assertEquals(await readAll(stream, 5), { text: "12345", count: 5 });
    assertEquals(await stream.head(), undefined);
  }
});

Deno.test("each end before the end is told from an end", async () => {
  const whole = `${HEAD}${CHUNKED}`;
  for (let at = 1; at < whole.length; at++) {
    const stream = new MessageStream(reading([whole.slice(0, at)]));
    await assertRejects(async () => {
      await stream.head();
      await readAll(stream, "chunked");
    }, CutError);
  }
  await assertRejects(
    () => readAll(new MessageStream(reading(["1234"])), 5),
    CutError,
  );
});

Deno.test("a body up to the end has one", async () => {
  const stream = new MessageStream(reading(["abc", "def"]));
  assertEquals(await readAll(stream, "close"), { text: "abcdef", count: 6 });
});

Deno.test("what is no HTTP is told from an end", async () => {
  await assertRejects(
    () => readAll(new MessageStream(reading(["zz\r\n"])), "chunked"),
    NotHttpError,
  );
  await assertRejects(
    () => readAll(new MessageStream(reading(["1\r\nabc\r\n"])), "chunked"),
    NotHttpError,
  );
});
