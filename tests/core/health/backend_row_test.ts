import {
  ADMIN_STATES,
  BackendRow,
  makeRow,
} from "../../../core/health/backend_row.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("a new row is ready, up, unweighted, closed and idle", () => {
  const row = new BackendRow(makeRow(3));
  assertEquals(
    [row.admin, row.isReady, row.checkedUp, row.weight, row.warmFrom, row.load],
    ["ready", true, true, undefined, 0, 0],
  );
  assertEquals([row.passive.isClosed, row.breaker.isClosed], [true, true]);
  assertEquals([row.passive.failures, row.breaker.failures], [0, 0]);
});

Deno.test("BackendRow: what one writes, another one of the same memory reads", () => {
  const buffer = makeRow(2);
  const [one, other] = [new BackendRow(buffer), new BackendRow(buffer)];
  for (const state of ADMIN_STATES) {
    one.admin = state;
    assertEquals([other.admin, other.isReady], [state, state === "ready"]);
  }
  for (const weight of [0, 1, 10_000, undefined]) {
    one.weight = weight;
    assertEquals(other.weight, weight);
  }
  one.checkedUp = false;
  one.warmFrom = 1_700_000_000_123.4;
  assertEquals([other.checkedUp, other.warmFrom], [false, 1_700_000_000_123]);
});

Deno.test("BackendRow: no field lies on another", () => {
  const row = new BackendRow(makeRow(2));
  row.admin = "drain";
  row.weight = 7;
  row.checkedUp = false;
  row.warmFrom = 2 ** 42;
  row.passive.addFailure();
  row.breaker.addFailure();
  row.breaker.addFailure();
  row.passive.replace(0n, -1n);
  row.breaker.replace(0n, 5n);
  row.enter(0);
  row.enter(1);
  row.enter(1);
  assertEquals(
    [row.admin, row.weight, row.checkedUp, row.warmFrom, row.load],
    ["drain", 7, false, 2 ** 42, 3],
  );
  assertEquals(
    [row.passive.failures, row.breaker.failures],
    [1, 2],
  );
  assertEquals([row.passive.word, row.breaker.word], [-1n, 5n]);
});

Deno.test("BackendRow.load is the sum over workers, without those that are lost", () => {
  const row = new BackendRow(makeRow(3));
  for (const worker of [0, 1, 1, 2, 2, 2]) row.enter(worker);
  row.leave(2);
  assertEquals(row.load, 5);
  row.forgetWorker(2);
  assertEquals(row.load, 3);
});

Deno.test("BackendRow: what a worker that is gone counts on counts for nothing, until another has its place", () => {
  const row = new BackendRow(makeRow(2));
  row.enter(0);
  row.enter(1);
  row.forgetWorker(1);
  row.leave(1);
  row.enter(1);
  row.enter(1);
  assertEquals(row.load, 1);
  row.welcomeWorker(1);
  row.enter(1);
  assertEquals(row.load, 2);
});
