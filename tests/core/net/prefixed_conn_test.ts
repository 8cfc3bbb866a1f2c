import fc from "fast-check";
import { createPipe } from "../../../core/net/pipe.ts";
import { withPrefix } from "../../../core/net/prefixed_conn.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../../support/byte_streams.ts";

Deno.test("withPrefix: the bytes come first, whatever the reads' sizes, then the connection's", async () => {
  await fc.assert(fc.asyncProperty(
    fc.nat({ max: 300 }),
    fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }),
    async (length, sizes) => {
      const [near, peer] = createPipe();
      const all = patternBytes(length + 50);
      const conn = withPrefix(near, all.slice(0, length));
      await writeAll(peer, all.subarray(length));
      await peer.closeWrite();
      const read: number[] = [];
      for (let i = 0;; i++) {
        const buffer = new Uint8Array(sizes[i % sizes.length]!);
        const count = await conn.read(buffer);
        if (count === null) break;
        assert(count > 0);
        read.push(...buffer.subarray(0, count));
      }
      assertEquals(Uint8Array.from(read), all);
    },
  ));
});

Deno.test("withPrefix: the prefix is there without the peer's doing", async () => {
  const [near] = createPipe();
  const conn = withPrefix(near, bytesOf("early"));
  assertEquals(textOf(await readExactly(conn, 5)), "early");
});

Deno.test("withPrefix without bytes is the connection itself", () => {
  const [near] = createPipe();
  assert(withPrefix(near, new Uint8Array(0)) === near);
});

Deno.test("withPrefix: writes, the end and the close are the connection's", async () => {
  const [near, peer] = createPipe();
  const conn = withPrefix(near, bytesOf("early"));
  assertEquals(await conn.write(bytesOf("out")), 3);
  await conn.closeWrite();
  assertEquals(textOf(await readAll(peer)), "out");
  conn.close();
  await assertRejects(
    () => conn.read(new Uint8Array(8)),
    Deno.errors.Interrupted,
  );
});
