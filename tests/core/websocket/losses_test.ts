/** Which losses of backends count as one. */
import { Losses } from "../../../core/websocket/losses.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("Losses: a backend that was there for a second is lost for itself", () => {
  const losses = new Losses();
  losses.lost(5_000);
  assertEquals([losses.flaps, losses.since, losses.gap(5_040)], [0, 5_000, 40]);
  losses.replaced(5_100);
  losses.lost(6_100);
  assertEquals([losses.flaps, losses.since, losses.gap(6_100)], [0, 6_100, 0]);
});

Deno.test("Losses: backends that are lost as soon as they are there count from the first of them", () => {
  const losses = new Losses();
  losses.lost(5_000);
  losses.replaced(5_100);
  losses.lost(6_099);
  assertEquals([losses.flaps, losses.since], [1, 6_099]);
  losses.replaced(6_200);
  losses.lost(6_300);
  assertEquals([losses.flaps, losses.since, losses.gap(6_310)], [2, 6_099, 10]);
  losses.replaced(6_400);
  losses.lost(7_400);
  assertEquals([losses.flaps, losses.since], [0, 7_400]);
});
