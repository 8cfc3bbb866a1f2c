/**
 * The gate: closed, open, one trial at a time; two of them on the same memory
 * stand for two workers.
 *
 * @module
 */
import fc from "fast-check";
import { BackendRow, makeRow } from "../../../core/health/backend_row.ts";
import { FailureGate } from "../../../core/health/failure_gate.ts";
import { CLOSED } from "../../../core/health/gate_cells.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const NOW = 1_700_000_000_000;
const SETTINGS = { failures: 3, rest: 10_000 };

/** The same gate in so many workers. */
function gates(count: number, settings = SETTINGS): FailureGate[] {
  const buffer = makeRow(count);
  return Array.from(
    { length: count },
    () => new FailureGate("breaker", new BackendRow(buffer).breaker, settings),
  );
}

/** Opens it. */
function open(gate: FailureGate, now = NOW): void {
  for (let i = 0; i < SETTINGS.failures; i++) gate.fail(CLOSED, now);
}

Deno.test("FailureGate opens at so many failures in a row", () => {
  const [gate] = gates(1) as [FailureGate];
  assertEquals(gate.fail(CLOSED, NOW), false);
  assertEquals(gate.fail(CLOSED, NOW), false);
  assertEquals([gate.state(NOW), gate.admits(NOW)], ["closed", true]);
  assertEquals(gate.fail(CLOSED, NOW), true);
  assertEquals([gate.state(NOW), gate.admits(NOW)], ["open", false]);
  assertEquals(gate.pass(NOW), undefined);
});

Deno.test("FailureGate: a success in between starts the count anew", () => {
  const [gate] = gates(1) as [FailureGate];
  for (let i = 0; i < 10; i++) {
    gate.fail(CLOSED, NOW);
    gate.fail(CLOSED, NOW);
    assertEquals(gate.succeed(CLOSED), false);
  }
  assertEquals(gate.state(NOW), "closed");
});

Deno.test("FailureGate counts the failures of all workers together, and one of them opens it", () => {
  const workers = gates(3);
  assertEquals(workers.map((gate) => gate.fail(CLOSED, NOW)), [
    false,
    false,
    true,
  ]);
  assertEquals(workers.map((gate) => gate.state(NOW)), [
    "open",
    "open",
    "open",
  ]);
  assertEquals(workers[0]!.fail(CLOSED, NOW), false);
});

Deno.test("FailureGate lets one trial through, over all workers, when its rest is over", () => {
  const [one, other] = gates(2) as [FailureGate, FailureGate];
  open(one);
  const due = NOW + SETTINGS.rest;
  assertEquals([one.changesAt(NOW), other.changesAt(NOW)], [due, due]);
  assertEquals([one.pass(due - 1), other.admits(due - 1)], [undefined, false]);
  assertEquals([one.admits(due), other.admits(due)], [true, true]);
  const passage = other.pass(due);
  assert(passage !== undefined && passage.ticket !== CLOSED && passage.first);
  assertEquals([one.pass(due), other.pass(due)], [undefined, undefined]);
  assertEquals([one.state(due), one.admits(due)], ["half-open", false]);
});

Deno.test("FailureGate: a good trial closes it for all that wait", () => {
  const [one, other] = gates(2) as [FailureGate, FailureGate];
  open(one);
  const due = NOW + SETTINGS.rest;
  const { ticket } = one.pass(due)!;
  assertEquals(one.succeed(ticket), true);
  assertEquals([one.state(due), other.state(due)], ["closed", "closed"]);
  for (let i = 0; i < 100; i++) assertEquals(other.pass(due)?.ticket, CLOSED);
  // The failures from before are forgotten.
  assertEquals(other.fail(CLOSED, due), false);
});

Deno.test("FailureGate: a failed trial opens it for another rest", () => {
  const [gate] = gates(1) as [FailureGate];
  open(gate);
  const due = NOW + SETTINGS.rest;
  assertEquals(gate.fail(gate.pass(due)!.ticket, due), true);
  assertEquals([gate.state(due), gate.admits(due)], ["open", false]);
  assertEquals(gate.changesAt(due), due + SETTINGS.rest);
});

Deno.test("FailureGate: a trial that ends without a result makes room at once", () => {
  const [one, other] = gates(2) as [FailureGate, FailureGate];
  open(one);
  const due = NOW + SETTINGS.rest;
  const { ticket } = one.pass(due)!;
  assertEquals(one.release(ticket, due), true);
  const next = other.pass(due)!;
  assertEquals(next.first, false);
  assertEquals(other.succeed(next.ticket), true);
  assertEquals(one.release(ticket, due), false);
  assertEquals(one.state(due), "closed");
});

Deno.test("FailureGate: a trial that never tells its result blocks no longer than a rest", () => {
  const [one, other] = gates(2) as [FailureGate, FailureGate];
  open(one);
  const due = NOW + SETTINGS.rest;
  const lost = one.pass(due)!;
  assertEquals(other.changesAt(due), due + SETTINGS.rest);
  assertEquals(other.pass(due + SETTINGS.rest - 1), undefined);
  const later = due + SETTINGS.rest;
  const next = other.pass(later)!;
  assert(next !== undefined);
  // Its failure is none of the next one's business.
  assertEquals(one.fail(lost.ticket, later), false);
  assertEquals(one.release(lost.ticket, later), false);
  assertEquals(other.succeed(next.ticket), true);
});

Deno.test("FailureGate: a trial that takes longer than a rest closes it all the same", () => {
  const [one, other] = gates(2) as [FailureGate, FailureGate];
  open(one);
  const due = NOW + SETTINGS.rest;
  const slow = one.pass(due)!;
  const later = due + SETTINGS.rest;
  const next = other.pass(later)!;
  assertEquals(one.succeed(slow.ticket), true);
  assertEquals(
    [other.fail(next.ticket, later), other.succeed(next.ticket)],
    [false, false],
  );
  assertEquals(one.state(later), "closed");
});

Deno.test("FailureGate: a late success does not close it where a later trial failed", () => {
  const [one, other] = gates(2) as [FailureGate, FailureGate];
  open(one);
  const due = NOW + SETTINGS.rest;
  const slow = one.pass(due)!;
  const later = due + SETTINGS.rest;
  assertEquals(other.fail(other.pass(later)!.ticket, later), true);
  assertEquals([one.succeed(slow.ticket), one.state(later)], [false, "open"]);
});

Deno.test("FailureGate: attempts from before it opened change nothing while it is open", () => {
  const [gate] = gates(1) as [FailureGate];
  open(gate);
  assertEquals(gate.succeed(CLOSED), false);
  assertEquals(gate.fail(CLOSED, NOW), false);
  assertEquals([gate.state(NOW), gate.changesAt(NOW)], [
    "open",
    NOW + SETTINGS.rest,
  ]);
});

Deno.test("FailureGate.close closes it whatever it is", () => {
  const [gate] = gates(1) as [FailureGate];
  assertEquals(gate.close(), false);
  gate.fail(CLOSED, NOW);
  gate.fail(CLOSED, NOW);
  assertEquals(gate.close(), false);
  assertEquals(gate.fail(CLOSED, NOW), false);
  open(gate);
  assertEquals([gate.close(), gate.state(NOW)], [true, "closed"]);
  open(gate);
  const { ticket } = gate.pass(NOW + SETTINGS.rest)!;
  assertEquals(gate.close(), true);
  assertEquals(gate.fail(ticket, NOW), false);
  assertEquals(gate.state(NOW), "closed");
});

Deno.test("FailureGate: a clock that is set back does not keep it open", () => {
  const [gate] = gates(1) as [FailureGate];
  open(gate);
  const before = NOW - 3_600_000;
  assertEquals([gate.admits(before), gate.changesAt(before)], [true, Infinity]);
});

Deno.test("FailureGate: a rest that a reload made shorter counts at once", () => {
  const buffer = makeRow(1);
  const cells = new BackendRow(buffer).breaker;
  open(new FailureGate("breaker", cells, SETTINGS));
  const shorter = new FailureGate("breaker", cells, {
    ...SETTINGS,
    rest: 1_000,
  });
  assertEquals(shorter.admits(NOW), true);
});

Deno.test("FailureGate: whatever workers do, no more than one trial is out, and it never sticks", () => {
  const step = fc.record({
    worker: fc.nat(2),
    act: fc.constantFrom(
      "pass",
      "succeed",
      "fail",
      "release",
      "late success",
      "late failure",
      "wait",
    ),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const workers = gates(3);
    let now = NOW;
    /** The trial that may be out, with its worker and the end of its time. */
    let trial: { gate: FailureGate; ticket: bigint; until: number } | undefined;
    for (const { worker, act } of steps) {
      const gate = workers[worker]!;
      if (trial !== undefined && trial.until <= now) trial = undefined;
      if (act === "wait") now += 2_500;
      else if (act === "late success") gate.succeed(CLOSED);
      else if (act === "late failure") gate.fail(CLOSED, now);
      else if (act === "pass") {
        const passage = gate.pass(now);
        if (passage === undefined || passage.ticket === CLOSED) continue;
        assertEquals(trial, undefined);
        const until = now + SETTINGS.rest;
        trial = { gate, ticket: passage.ticket, until };
      } else if (trial !== undefined) {
        const { ticket } = trial;
        const told = act === "succeed"
          ? trial.gate.succeed(ticket)
          : act === "fail"
          ? trial.gate.fail(ticket, now)
          : trial.gate.release(ticket, now);
        assertEquals(told, true);
        trial = undefined;
      }
    }
    // However it ended, a rest later somebody may pass.
    assertEquals(workers[0]!.admits(now + SETTINGS.rest), true);
  }));
});
