import { Deadlines } from "../../../core/net/deadlines.ts";
import { NOWHERE } from "../../../core/net/roster.ts";
import { Specimens } from "../../../core/session/specimens.ts";
import type { Session } from "../../../core/session/session.ts";
import { assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { heldBytes } from "../../support/garbage.ts";

/** Specimens of deadlines that are swept, and a way to the next sweep. */
function create() {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  deadlines.add({ place: NOWHERE, deadline: Infinity, expire() {} });
  return {
    specimens: new Specimens(deadlines),
    sweep: () => clock.advance(100),
  };
}

function createSession(): Session {
  return {} as Partial<Session> as Session;
}

/** Keeps objects that nobody else refers to. */
function keepNew(
  specimens: Specimens,
  count: number,
  session = createSession(),
): WeakRef<object>[] {
  return Array.from({ length: count }, () => {
    const one = {};
    specimens.keep(session, one);
    return new WeakRef(one);
  });
}

/** How many of them are left when garbage is collected. */
async function left(refs: readonly WeakRef<object>[]): Promise<number> {
  // What was made or asked for in this turn of the loop stays until its end.
  await new Promise((resolve) => setTimeout(resolve));
  heldBytes();
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

Deno.test("Specimens: one is chosen between two sweeps", () => {
  const { specimens, sweep } = create();
  assertEquals(specimens.choose(), true);
  assertEquals(specimens.choose(), false);
  sweep();
  assertEquals(specimens.choose(), true);
  assertEquals(specimens.choose(), false);
});

Deno.test("Specimens: the last eight stay alive", async () => {
  const { specimens } = create();
  const refs = keepNew(specimens, 20);
  assertEquals(await left(refs.slice(0, 12)), 0);
  assertEquals(await left(refs.slice(12)), 8);
  keepNew(specimens, 1);
  assertEquals(await left(refs), 7);
});

Deno.test("Specimens: a session that is forgotten is let go, others are not", async () => {
  const { specimens } = create();
  const session = createSession();
  const others = keepNew(specimens, 6);
  const its = keepNew(specimens, 2, session);
  specimens.forget(session);
  assertEquals(await left(its), 0);
  assertEquals(await left(others), 6);
  const more = keepNew(specimens, 3);
  assertEquals(await left([...others, ...more]), 8);
});

Deno.test("Specimens: none stays once they are cleared", async () => {
  const { specimens } = create();
  const refs = keepNew(specimens, 3);
  specimens.clear();
  assertEquals(await left(refs), 0);
  assertEquals(await left(keepNew(specimens, 1)), 1);
});
