/**
 * One of two threads at the same gate: each round both fail once, which opens
 * it, and then both want to be the trial.
 *
 * @module
 */
/// <reference lib="webworker" />
import { BackendRow } from "../../../core/health/backend_row.ts";
import { FailureGate } from "../../../core/health/failure_gate.ts";
import { CLOSED } from "../../../core/health/gate_cells.ts";

/** What the thread gets. */
export interface GateThreadStart {
  readonly row: SharedArrayBuffer;
  /** Four bytes: how many have arrived where they meet. */
  readonly meeting: SharedArrayBuffer;
  readonly rounds: number;
}

/** What it saw. */
export interface GateThreadCounts {
  opened: number;
  trials: number;
  closed: number;
}

/** About a tenth of a millisecond: longer than the other takes, where it has a core of its own. */
const SPINS = 20_000;

function run({ row, meeting, rounds }: GateThreadStart): GateThreadCounts {
  const gate = new FailureGate("breaker", new BackendRow(row).breaker, {
    failures: 2,
    rest: 1_000,
  });
  const arrived = new Int32Array(meeting);
  let meetings = 0;
  const meet = () => {
    const wanted = 2 * ++meetings;
    let count = Atomics.add(arrived, 0, 1) + 1;
    Atomics.notify(arrived, 0);
    // Who is woken comes too late to collide with the other; who spins does not.
    for (let spins = 0; count < wanted; spins++) {
      if (spins > SPINS) Atomics.wait(arrived, 0, count, 10);
      count = Atomics.load(arrived, 0);
    }
  };
  const counts = { opened: 0, trials: 0, closed: 0 };
  for (let round = 1; round <= rounds; round++) {
    const now = 1_000_000 * round;
    meet();
    if (gate.fail(CLOSED, now)) counts.opened++;
    meet();
    const passage = gate.pass(now + 1_000);
    if (passage !== undefined) counts.trials++;
    meet();
    if (passage !== undefined && gate.succeed(passage.ticket)) counts.closed++;
  }
  return counts;
}

self.onmessage = ({ data }: MessageEvent<GateThreadStart>) => {
  self.postMessage(run(data));
};
