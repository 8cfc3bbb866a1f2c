import { RetryBudget } from "../../../core/balance/retry_budget.ts";
import { assert, assertEquals } from "../../support/assert.ts";

function takeAll(budget: RetryBudget, now: number, share: number): number {
  let taken = 0;
  while (budget.take(now, share)) taken++;
  return taken;
}

Deno.test("RetryBudget: three a second, however few requests there are", () => {
  const budget = new RetryBudget();
  assertEquals(takeAll(budget, 0, 0), 30);
  assertEquals(takeAll(budget, 9_999, 0), 0);
  assertEquals(takeAll(budget, 10_000, 0), 30);
});

Deno.test("RetryBudget: a share of the last ten seconds' requests", () => {
  const budget = new RetryBudget();
  for (let second = 0; second < 10; second++) {
    for (let i = 0; i < 100; i++) budget.request(second * 1_000);
  }
  assertEquals(takeAll(budget, 9_500, 0.2), 200);
  // A second leaves the window with its requests, its retries stay.
  assertEquals(takeAll(budget, 10_500, 0.2), 0);
});

Deno.test("RetryBudget: a second that is over ten seconds old counts no more", () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 1_000; i++) budget.request(3_000);
  assertEquals(takeAll(budget, 60_000, 0.2), 30);
});

Deno.test("RetryBudget: a request that began long ago takes no other second's place", () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 30; i++) assert(budget.take(25_000, 0.2));
  // An upload or a session that began in a second of the same place.
  budget.request(15_000);
  budget.request(5_000);
  assert(!budget.take(25_000, 0.2));
  // It counts with those of now.
  const fresh = new RetryBudget();
  fresh.request(60_000);
  for (let i = 0; i < 199; i++) fresh.request(1_000 * (i % 60));
  for (let i = 0; i < 40; i++) assert(fresh.take(69_000, 0.2));
  assert(!fresh.take(69_000, 0.2));
});
