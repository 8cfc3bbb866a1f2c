import { BackendRow, makeRow } from "../../../core/health/backend_row.ts";
import { assert, assertEquals } from "../../support/assert.ts";

function linesOf(workers: number) {
  const row = new BackendRow(makeRow(workers));
  return {
    row,
    lines: Array.from({ length: workers }, (_, i) => row.line(i)!),
  };
}

Deno.test("SlotLine – one worker has none", () => {
  assertEquals(new BackendRow(makeRow(1)).line(0), undefined);
});

Deno.test("SlotLine – each sees whether others wait, not whether itself does", () => {
  const { lines: [a, b], row } = linesOf(2);
  assertEquals([a!.othersWait, b!.othersWait], [false, false]);
  a!.join();
  assertEquals([a!.othersWait, b!.othersWait], [false, true]);
  b!.join();
  b!.join();
  b!.leave();
  a!.leave();
  assertEquals([a!.othersWait, b!.othersWait], [true, false]);
  assertEquals(row.load, 0);
});

Deno.test("SlotLine – a worker that is gone waits for nothing, whatever it still does", () => {
  const { lines: [a, b], row } = linesOf(2);
  b!.join();
  row.forgetWorker(1);
  b!.join();
  assertEquals(a!.othersWait, false);
  row.welcomeWorker(1);
  b!.join();
  assertEquals(a!.othersWait, true);
});

Deno.test("SlotLine – a call wakes who listens, not who listens later", async () => {
  const { lines: [a, b] } = linesOf(2);
  const begin = performance.now();
  const called = a!.called();
  b!.call();
  await called;
  assert(performance.now() - begin < 900);
});

Deno.test("BackendRow.settledLoad counts what is there, and changes nothing", () => {
  const { row } = linesOf(2);
  row.enter(0);
  row.enter(1);
  assertEquals([row.settledLoad(0), row.settledLoad(1), row.load], [2, 2, 2]);
});
