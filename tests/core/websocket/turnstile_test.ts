/** Who is let in when. */
import { Turnstile } from "../../../core/websocket/turnstile.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

/** A turnstile of width 2, and who is within, in the order in which they came in. */
function stage() {
  const clock = new FakeClock();
  const turnstile = new Turnstile(clock, 2);
  const within: string[] = [];
  return {
    clock,
    within,
    async comes(...names: string[]): Promise<void> {
      for (const name of names) {
        const turn = turnstile.enter();
        if (turn === undefined) within.push(name);
        else turn.then(() => within.push(name));
      }
      await Promise.resolve();
    },
    async leaves(...names: string[]): Promise<void> {
      for (const name of names) {
        within.splice(within.indexOf(name), 1);
        turnstile.leave();
      }
      await Promise.resolve();
    },
    async waits(milliseconds: number): Promise<void> {
      clock.advance(milliseconds);
      await Promise.resolve();
    },
  };
}

Deno.test("Turnstile: lets in as many as it is wide, and no timer runs for them", async () => {
  const s = stage();
  await s.comes("a", "b");
  assertEquals([s.within, s.clock.pending], [["a", "b"], 0]);
  await s.leaves("a");
  await s.comes("c");
  assertEquals([s.within, s.clock.pending], [["b", "c"], 0]);
});

Deno.test("Turnstile: whoever leaves lets in the next, in their order", async () => {
  const s = stage();
  await s.comes("a", "b", "c", "d", "e");
  assertEquals(s.within, ["a", "b"]);
  await s.leaves("b");
  assertEquals(s.within, ["a", "c"]);
  await s.leaves("a", "c");
  assertEquals([s.within, s.clock.pending], [["d", "e"], 0]);
  await s.leaves("d", "e");
  await s.comes("f");
  assertEquals(s.within, ["f"]);
});

Deno.test("Turnstile: those who take long hold up the others for a millisecond, as many at a time", async () => {
  const s = stage();
  await s.comes("a", "b", "c", "d", "e", "f", "g");
  await s.waits(0.9);
  assertEquals(s.within, ["a", "b"]);
  await s.waits(0.1);
  assertEquals(s.within, ["a", "b", "c", "d"]);
  // More than its width are still within: only time lets in.
  await s.leaves("a");
  assertEquals(s.within, ["b", "c", "d"]);
  await s.waits(1);
  assertEquals(s.within, ["b", "c", "d", "e", "f"]);
  await s.waits(1);
  assertEquals(s.within, ["b", "c", "d", "e", "f", "g"]);
  assertEquals(s.clock.pending, 0);
});

Deno.test("Turnstile: its width counts again once those who took long have left", async () => {
  const s = stage();
  await s.comes("a", "b", "c");
  await s.waits(1);
  assertEquals(s.within, ["a", "b", "c"]);
  await s.comes("d");
  assertEquals(s.within, ["a", "b", "c"]);
  await s.leaves("a", "b");
  assertEquals([s.within, s.clock.pending], [["c", "d"], 0]);
});
