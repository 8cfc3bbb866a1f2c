/**
 * What the health of a backend costs an attempt: `deno bench -A tests/bench/health_bench.ts`.
 *
 * @module
 */
import { makeHealth } from "../support/backend_health.ts";

const GATES = {
  passiveHealth: { failures: 5, statuses: [[502, 504]], coolDown: 10_000 },
  breaker: { failures: 5, reset: 30_000 },
} as const;

for (const [name, facts] of [["nothing", {}], ["both gates", GATES]] as const) {
  const { health, clock } = makeHealth(facts);
  const now = clock.wall();

  Deno.bench(`begin, answered, end: ${name} configured`, () => {
    const permit = health.begin()!;
    health.answered(200, permit);
    health.end(permit);
  });

  Deno.bench(`eligible: ${name} configured`, () => {
    if (!health.eligible(now)) throw new Error("It is eligible");
  });

  Deno.bench(`weight: ${name} configured`, () => {
    if (health.weight(now) !== 1) throw new Error("Its weight is 1");
  });

  Deno.bench(`load: ${name} configured`, () => {
    if (health.load !== 0) throw new Error("It is idle");
  });
}

{
  const { health } = makeHealth(GATES);
  Deno.bench("begin where an open gate lets nobody through", () => {
    if (health.begin() !== undefined) throw new Error("It may not begin");
  });
  const refused = Array.from({ length: 5 }, () => health.begin()!);
  for (const permit of refused) {
    health.answered(503, permit);
    health.end(permit);
  }
}
