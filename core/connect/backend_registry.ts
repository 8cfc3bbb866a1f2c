/**
 * The backends of a data plane over all reloads: one that stays keeps its pool
 * and its counts.
 *
 * @module
 */
import { BackendHealth } from "../health/backend_health.ts";
import { BackendRow, makeRow } from "../health/backend_row.ts";
import { backendKey, Epoch, type SharedRows } from "../health/shared_health.ts";
import type { BackendEvent } from "../plugin.ts";
import type { PlaneEnv } from "../session/env.ts";
import {
  Backend,
  type BackendIdentity,
  type BackendSettings,
  type BackendShare,
} from "./backend.ts";

/** What backends share with those of other workers. */
export interface BackendRegistryOptions {
  /** Where the worker counts in rows, from 0. */
  readonly worker: number;
  /** How many workers there are. */
  readonly workers: number;
  /** The epoch of all workers; left out = one of its own. */
  readonly epoch?: SharedArrayBuffer | undefined;
  /** Is told of each change of a backend's state that this worker made. */
  readonly notify: (event: BackendEvent) => void;
}

/** The living backends. */
export class BackendRegistry {
  /** Grows with every change of a backend's state, whichever worker made it. */
  readonly epoch: Epoch;
  readonly #env: PlaneEnv;
  readonly #options: BackendRegistryOptions;
  readonly #backends = new Map<string, Backend>();

  constructor(env: PlaneEnv, options: BackendRegistryOptions) {
    this.#env = env;
    this.#options = options;
    this.epoch = new Epoch(options.epoch);
  }

  /** The backend of this identity: the one that lives, as it is, or a new one, with its row of `rows` where there is one. */
  acquire(
    identity: BackendIdentity,
    settings: BackendSettings,
    share: BackendShare,
    slotFreed: (backend: Backend) => void,
    rows?: SharedRows,
  ): Backend {
    const key = backendKey(identity);
    const known = this.#backends.get(key);
    if (known !== undefined) return known;
    const { worker, workers, notify } = this.#options;
    const health = new BackendHealth({
      cluster: identity.cluster,
      backend: identity.id,
      row: new BackendRow(rows?.get(key) ?? makeRow(workers)),
      epoch: this.epoch,
      worker,
      clock: this.#env.clock,
      notify,
    }, { ...settings.health, weight: share.weight });
    const parts = { health, slotFreed };
    const backend = new Backend(this.#env, identity, settings, share, parts);
    this.#backends.set(key, backend);
    return backend;
  }

  /** Retires every backend that is not in `kept`. */
  retireOthers(kept: ReadonlySet<Backend>): void {
    const gone = this.list().filter((backend) => !kept.has(backend));
    for (const backend of gone) this.#backends.delete(backendKey(backend));
    const living = new Set(this.list().map(labelsOf));
    for (const backend of gone) backend.retire(living.has(labelsOf(backend)));
  }

  /** Every living backend. */
  list(): Backend[] {
    return [...this.#backends.values()];
  }
}

/** What its metrics are found by. */
function labelsOf({ cluster, id }: Backend): string {
  return JSON.stringify([cluster, id]);
}
