/**
 * What a cluster keeps over reloads: who waits for a slot, and how many retries
 * it has borne.
 *
 * @module
 */
import type { Backend } from "../connect/backend.ts";
import type { Permit } from "../health/backend_health.ts";
import type { Deadlines } from "../net/deadlines.ts";
import { RetryBudget } from "./retry_budget.ts";
import { SlotQueue } from "./slot_queue.ts";

/** The part of a cluster that outlives its snapshots. */
export class ClusterLife {
  readonly queue: SlotQueue<Backend, Permit>;
  readonly budget = new RetryBudget();
  /** The backends of the current snapshot. */
  backends: readonly Backend[] = [];

  constructor(deadlines: Deadlines) {
    this.queue = new SlotQueue({ deadlines, backends: () => this.backends });
  }
}
