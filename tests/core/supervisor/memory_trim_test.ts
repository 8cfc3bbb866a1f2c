import { trimMemory } from "../../../core/supervisor/memory_trim.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

/** Buffers of a size that the C library takes from its own heap. */
const COUNT = 2_000;
const SIZE = 64 << 10;

Deno.test("trimMemory() gives back what was freed after a quiet second, and after a busy one only once a minute", async () => {
  const code = `
    import { trimMemory } from ${
    JSON.stringify(
      new URL("../../../core/supervisor/memory_trim.ts", import.meta.url).href,
    )
  };
    import { FakeClock } from ${
    JSON.stringify(new URL("../../support/clock.ts", import.meta.url).href)
  };
    const clock = new FakeClock();
    let computed = 0;
    const trim = trimMemory(clock, () => computed);
    const rss = () => Deno.memoryUsage().rss;
    const free = async () => {
      let buffers = Array.from({ length: ${COUNT} }, () => new Uint8Array(${SIZE}).fill(1));
      // The last of all keeps the heap's end, so that nothing goes by itself.
      const last = new Uint8Array(${SIZE}).fill(1);
      buffers = undefined;
      gc();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return last;
    };
    const second = (milliseconds) => {
      computed += milliseconds;
      clock.advance(1_000);
    };
    const kept = [await free()];
    const before = rss();
    second(100);
    const busy = rss();
    second(99);
    const quiet = rss();
    kept.push(await free());
    const again = rss();
    for (let i = 0; i < 59; i++) second(1_000);
    const busyLong = rss();
    second(1_000);
    const minute = rss();
    trim?.[Symbol.dispose]();
    clock.advance(10_000);
    console.log(JSON.stringify({
      trims: trim !== undefined,
      kept: kept.length,
      unchanged: [[before, busy], [again, busyLong]],
      less: [[busy, quiet], [busyLong, minute]],
    }));
  `;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc", code],
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { trims, unchanged, less } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  if (!trims) {
    console.warn("Giving memory back is skipped: no GNU C library here");
    return;
  }
  for (const [before, after] of unchanged) {
    assert(Math.abs(before - after) < COUNT * SIZE / 10, `${before}, ${after}`);
  }
  for (const [before, after] of less) {
    assert(before - after > COUNT * SIZE / 2, `${before}, ${after}`);
  }
});

Deno.test({
  name: "trimMemory() does nothing where FFI is not allowed",
  permissions: { ffi: false },
  fn() {
    assertEquals(trimMemory(new FakeClock()), undefined);
  },
});
