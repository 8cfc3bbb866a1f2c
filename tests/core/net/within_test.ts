import { within } from "../../../core/net/within.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

Deno.test("within gives what the work comes to, in time", async () => {
  const clock = new FakeClock();
  let late = 0;
  const work = Promise.withResolvers<string>();
  const waited = within(clock, 100, work.promise, () => `late ${++late}`);
  clock.advance(99);
  work.resolve("done");
  assertEquals(await waited, "done");
  clock.advance(1_000);
  assertEquals(late, 0);
});

Deno.test("within rejects with what the work fails by", async () => {
  const failure = new RangeError("no");
  const work = Promise.reject(failure);
  const thrown = await assertRejects(() =>
    within(new FakeClock(), 100, work, () => "late")
  );
  assertEquals(thrown, failure);
});

Deno.test("within gives what late gives, or throws, where the time is over", async () => {
  const clock = new FakeClock();
  const never = new Promise<string>(() => {});
  const given = within(clock, 100, never, () => "late");
  const thrown = within(clock, 100, never, () => {
    throw new RangeError("late");
  });
  clock.advance(100);
  assertEquals(await given, "late");
  await assertRejects(() => thrown, RangeError, "late");
});

Deno.test("within has nobody hear of work that fails later", async () => {
  const clock = new FakeClock();
  const work = Promise.withResolvers<string>();
  const waited = within(clock, 100, work.promise, () => "late");
  clock.advance(100);
  assertEquals(await waited, "late");
  work.reject(new RangeError("too late"));
  // A rejection that nobody handles fails the test.
  await new Promise((resolve) => setTimeout(resolve, 0));
});
