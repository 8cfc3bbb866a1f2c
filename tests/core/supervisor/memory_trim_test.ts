import { trimMemory } from "../../../core/supervisor/memory_trim.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

/** Buffers of a size that the C library takes from its own heap. */
const COUNT = 2_000;
const SIZE = 64 << 10;

Deno.test("trimMemory() gives back what was freed after a quiet second, and nothing after a busy one", async () => {
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
    let buffers = Array.from({ length: ${COUNT} }, () => new Uint8Array(${SIZE}).fill(1));
    // The last of all keeps the heap's end, so that nothing goes by itself.
    const last = new Uint8Array(${SIZE}).fill(1);
    const rss = () => Deno.memoryUsage().rss;
    buffers = undefined;
    gc();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = rss();
    computed += 100;
    clock.advance(1_000);
    const busy = rss();
    computed += 99;
    clock.advance(1_000);
    const after = rss();
    trim?.[Symbol.dispose]();
    clock.advance(10_000);
    console.log(JSON.stringify({ trims: trim !== undefined, before, busy, after, last: last[0] }));
  `;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc", code],
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { trims, before, busy, after } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  if (!trims) {
    console.warn("Giving memory back is skipped: no GNU C library here");
    return;
  }
  assert(Math.abs(before - busy) < COUNT * SIZE / 10, `${before} -> ${busy}`);
  assert(before - after > COUNT * SIZE / 2, `${before} -> ${after}`);
});

Deno.test({
  name: "trimMemory() does nothing where FFI is not allowed",
  permissions: { ffi: false },
  fn() {
    assertEquals(trimMemory(new FakeClock()), undefined);
  },
});
