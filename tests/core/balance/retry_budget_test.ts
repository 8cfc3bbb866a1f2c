import { RetryBudget } from "../../../core/balance/retry_budget.ts";
import { assertEquals } from "../../support/assert.ts";

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
