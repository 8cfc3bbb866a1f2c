import fc from "fast-check";
import { createPipe } from "../../../core/net/pipe.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import {
  bytesOf,
  patternBytes,
  readAll,
  readExactly,
  textOf,
  writeAll,
} from "../../support/byte_streams.ts";

Deno.test("createPipe: each end reads what the other writes", async () => {
  const [near, far] = createPipe();
  await near.write(bytesOf("there"));
  await far.write(bytesOf("back"));
  assertEquals(textOf(await readExactly(far, 5)), "there");
  assertEquals(textOf(await readExactly(near, 4)), "back");
});

Deno.test("createPipe: a read waits for a write", async () => {
  const [near, far] = createPipe();
  const read = readExactly(far, 3);
  await near.write(bytesOf("now"));
  assertEquals(textOf(await read), "now");
});

Deno.test("createPipe: the writer may use its buffer again after a write", async () => {
  const [near, far] = createPipe();
  const buffer = bytesOf("one");
  await near.write(buffer);
  buffer.fill(0);
  assertEquals(textOf(await readExactly(far, 3)), "one");
});

Deno.test("createPipe: a write into a full pipe waits for its reader", async () => {
  const [near, far] = createPipe();
  const sent = patternBytes(1 << 20);
  let taken = 0;
  const writing = (async () => {
    while (taken < sent.length) {
      taken += await near.write(sent.subarray(taken));
    }
    await near.closeWrite();
  })();
  // Whatever is runnable has run when a later macrotask comes.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(taken <= 64 << 10, true);
  assertEquals(await readAll(far), sent);
  await writing;
});

Deno.test("createPipe: closeWrite ends one direction only, after what was written", async () => {
  const [near, far] = createPipe();
  await near.write(bytesOf("last"));
  await near.closeWrite();
  assertEquals(textOf(await readAll(far)), "last");
  await far.write(bytesOf("answer"));
  assertEquals(textOf(await readExactly(near, 6)), "answer");
  await assertRejects(() => near.write(bytesOf("x")), Deno.errors.BrokenPipe);
});

Deno.test("createPipe: close rejects the own pending read and ends the peer's", async () => {
  const [near, far] = createPipe();
  const own = assertRejects(
    () => near.read(new Uint8Array(1)),
    Deno.errors.Interrupted,
  );
  const peers = far.read(new Uint8Array(1));
  near.close();
  await own;
  assertEquals(await peers, null);
  await assertRejects(() => far.write(bytesOf("x")), Deno.errors.BrokenPipe);
});

Deno.test("createPipe: reset fails all of the peer's, what it has not read too", async () => {
  const [near, far] = createPipe();
  await near.write(bytesOf("lost"));
  near.reset();
  near.close();
  await assertRejects(
    () => far.read(new Uint8Array(9)),
    Deno.errors.ConnectionReset,
  );
  await assertRejects(() => far.write(bytesOf("x")), Deno.errors.BrokenPipe);
});

Deno.test("createPipe: close releases a waiting writer of the peer", async () => {
  const [near, far] = createPipe();
  const writing = assertRejects(
    () => writeAll(near, patternBytes(1 << 20)),
    Deno.errors.BrokenPipe,
  );
  far.close();
  await writing;
});

Deno.test("createPipe: any writes and any reads keep the bytes in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 5_000 })),
      fc.integer({ min: 1, max: 5_000 }),
      async (pieces, size) => {
        const [near, far] = createPipe();
        const writing = (async () => {
          for (const piece of pieces) await writeAll(near, piece);
          await near.closeWrite();
        })();
        const got: number[] = [];
        const buffer = new Uint8Array(size);
        for (;;) {
          const count = await far.read(buffer);
          if (count === null) break;
          got.push(...buffer.subarray(0, count));
        }
        await writing;
        assertEquals(got, pieces.flatMap((piece) => [...piece]));
      },
    ),
    { numRuns: 50 },
  );
});
