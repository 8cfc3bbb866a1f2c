/**
 * What a cluster keeps over reloads: who waits for a slot, and how many retries
 * it has borne.
 *
 * @module
 */
import type { Backend } from "../connect/backend.ts";
import type { Permit } from "../health/backend_gates.ts";
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

/** The lives of all clusters of a data plane. */
export class ClusterLives {
  readonly #deadlines: Deadlines;
  readonly #byName = new Map<string, ClusterLife>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** The life of the cluster of this name, which may begin now. */
  get(name: string): ClusterLife {
    let life = this.#byName.get(name);
    if (life === undefined) {
      life = new ClusterLife(this.#deadlines);
      this.#byName.set(name, life);
    }
    return life;
  }

  /** Ends those of clusters that no snapshot has. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#byName.keys()) {
      if (!names.has(name)) this.#byName.delete(name);
    }
  }
}
