import fc from "fast-check";
import {
  BoundedChannel,
  CHANNEL_SIZE,
} from "../../../core/websocket/bounded_channel.ts";
import { assert, assertEquals } from "../../support/assert.ts";

/** Whether the promise is settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await Promise.resolve();
  return await Promise.race([promise, Promise.resolve(pending)]) !== pending;
}

Deno.test("BoundedChannel: items come in their order, whoever waits for whom", async () => {
  const channel = new BoundedChannel<number>();
  const first = channel.next();
  const second = channel.next();
  for (const item of [1, 2, 3]) channel.add(item);
  assertEquals([await first, await second, channel.size], [1, 2, 1]);
  assertEquals([channel.take(), channel.take()], [3, undefined]);
  assertEquals(channel.taken, 3);
});

Deno.test("BoundedChannel: who adds more than may wait has to wait for room", async () => {
  const channel = new BoundedChannel<number>();
  for (let i = 0; i < CHANNEL_SIZE; i++) channel.add(i);
  assertEquals(channel.room(), undefined);
  channel.add(10);
  channel.add(11);
  const room = channel.room()!;
  assertEquals(channel.room(), room);
  channel.take();
  assert(!await isSettled(room));
  channel.take();
  assert(await isSettled(room));
  assertEquals(channel.room(), undefined);
});

Deno.test("BoundedChannel: what waits can be taken after a close, then nothing comes", async () => {
  const channel = new BoundedChannel<string>();
  channel.add("a");
  channel.close("last");
  channel.add("ignored");
  assertEquals(
    [await channel.next(), await channel.next(), await channel.next()],
    ["a", "last", undefined],
  );
  const other = new BoundedChannel<string>();
  const waiting = [other.next(), other.next()];
  other.close("last");
  assertEquals(await Promise.all(waiting), ["last", undefined]);
});

Deno.test("BoundedChannel: its end gives back what was not taken and releases all who wait", async () => {
  const channel = new BoundedChannel<number>();
  for (let i = 0; i < 15; i++) channel.add(i);
  channel.take();
  const room = channel.room()!;
  assertEquals(channel.end(), Array.from({ length: 14 }, (_, i) => i + 1));
  assert(await isSettled(room));
  channel.add(1);
  assertEquals([channel.size, channel.room(), await channel.next()], [
    0,
    undefined,
    undefined,
  ]);
  const other = new BoundedChannel<number>();
  const waiting = other.next();
  assertEquals(other.end(), []);
  assertEquals(await waiting, undefined);
});

Deno.test("BoundedChannel: nothing is lost, doubled or reordered, whatever is done when", async () => {
  const step = fc.constantFrom("add", "take", "next", "tick");
  await fc.assert(fc.asyncProperty(fc.array(step), async (steps) => {
    const channel = new BoundedChannel<number>();
    const got: number[] = [];
    const taken: number[] = [];
    channel.onTaken = (item) => taken.push(item);
    let added = 0;
    let waiting = 0;
    for (const each of steps) {
      if (each === "add") channel.add(added++);
      else if (each === "tick") await Promise.resolve();
      else if (each === "take") {
        // Whoever waits is first.
        const item = channel.take();
        if (item !== undefined) got.push(item);
      } else {
        waiting++;
        channel.next().then((item) => {
          waiting--;
          if (item !== undefined) got.push(item);
        });
      }
    }
    const rest = channel.end();
    while (waiting > 0) await Promise.resolve();
    const all = Array.from({ length: added }, (_, i) => i);
    assertEquals([...taken, ...rest], all);
    assertEquals(got.toSorted((a, b) => a - b), taken);
    assertEquals(channel.taken, taken.length);
  }));
});
