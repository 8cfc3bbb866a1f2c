/**
 * The gate between real threads.
 *
 * @module
 */
import { makeRow } from "../../../core/health/backend_row.ts";
import { assertEquals } from "../../support/assert.ts";
import { inTime } from "../../support/eventually.ts";
import type { GateThreadCounts, GateThreadStart } from "./gate_thread.ts";

Deno.test("FailureGate: of two threads that want to, one opens it, one is the trial and one closes it", async () => {
  const rounds = 5_000;
  const start: GateThreadStart = {
    row: makeRow(2),
    meeting: new SharedArrayBuffer(4),
    rounds,
  };
  const url = new URL("./gate_thread.ts", import.meta.url);
  const threads = [0, 1].map(() => new Worker(url, { type: "module" }));
  try {
    const [one, other] = await inTime(
      "both threads",
      Promise.all(threads.map((thread) => countsOf(thread, start))),
      60_000,
    );
    for (const what of ["opened", "trials", "closed"] as const) {
      assertEquals(one![what] + other![what], rounds, what);
    }
  } finally {
    for (const thread of threads) thread.terminate();
  }
});

function countsOf(
  thread: Worker,
  start: GateThreadStart,
): Promise<GateThreadCounts> {
  return new Promise((resolve, reject) => {
    thread.onmessage = ({ data }) => resolve(data);
    thread.onerror = reject;
    thread.postMessage(start);
  });
}
