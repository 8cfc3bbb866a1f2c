/**
 * Gives memory that nobody uses back to the system. The C library keeps what was
 * freed, for each thread's next use: of V8's compiler, of buffers and
 * connections that are gone. Idle sessions would pay for it: 7 KB each of 2,000
 * (measured).
 *
 * @module
 */
import process from "node:process";
import type { Clock } from "../net/clock.ts";

/** Between two looks, in milliseconds. */
const INTERVAL = 1_000;

/**
 * A second is quiet where the process used less of a core than this. Giving back
 * takes 0.1 to 10 ms (measured), in which who wants memory may wait; and who is
 * busy wants it again.
 */
const QUIET = 0.1;

/**
 * Who is never quiet gives back every so many milliseconds: half an hour of mixed
 * traffic ended at 419 MB, of which 230 were left after a rest (measured).
 */
const LONGEST = 60_000;

/** GNU's, which Deno is built for; other C libraries don't keep as much. */
const LIBRARY = "libc.so.6";

const SYMBOLS = {
  malloc_trim: { parameters: ["usize"], result: "i32" },
} as const;

/**
 * Gives back after each quiet second, and else once a minute, until it is
 * disposed of; undefined where FFI is not allowed or the library is another one.
 * `cpuTime` tells the milliseconds that the process has computed.
 */
export function trimMemory(
  clock: Clock,
  cpuTime: () => number = ownCpuTime,
): Disposable | undefined {
  if (Deno.build.os !== "linux") return undefined;
  // To ask for what is not granted would stop at a prompt.
  const { state } = Deno.permissions.querySync({ name: "ffi" });
  if (state !== "granted") return undefined;
  const library = open();
  if (library === undefined) return undefined;
  let before = cpuTime();
  let kept = 0;
  const stop = clock.every(INTERVAL, () => {
    const now = cpuTime();
    kept += INTERVAL;
    if (now - before < QUIET * INTERVAL || kept >= LONGEST) {
      library.symbols.malloc_trim(0n);
      kept = 0;
    }
    before = now;
  });
  return {
    [Symbol.dispose]() {
      stop();
      library.close();
    },
  };
}

function open() {
  try {
    return Deno.dlopen(LIBRARY, SYMBOLS);
  } catch {
    // Another C library, or one without this call: it keeps what it keeps.
    return undefined;
  }
}

function ownCpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
