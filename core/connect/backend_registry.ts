/**
 * The backends of a data plane over all reloads: one that stays keeps its pool
 * and its counts.
 *
 * @module
 */
import type { PlaneEnv } from "../session/env.ts";
import {
  Backend,
  type BackendIdentity,
  type BackendSettings,
} from "./backend.ts";

/** The living backends. */
export class BackendRegistry {
  readonly #env: PlaneEnv;
  readonly #backends = new Map<string, Backend>();

  constructor(env: PlaneEnv) {
    this.#env = env;
  }

  /** The backend of this identity: the one that lives, as it is, or a new one. */
  acquire(identity: BackendIdentity, settings: BackendSettings): Backend {
    const key = keyOf(identity);
    const known = this.#backends.get(key);
    if (known !== undefined) return known;
    const backend = new Backend(this.#env, identity, settings);
    this.#backends.set(key, backend);
    return backend;
  }

  /** Retires every backend that is not in `kept`. */
  retireOthers(kept: ReadonlySet<Backend>): void {
    for (const [key, backend] of this.#backends) {
      if (kept.has(backend)) continue;
      this.#backends.delete(key);
      backend.retire();
    }
  }

  /** Every living backend. */
  list(): Backend[] {
    return [...this.#backends.values()];
  }
}

function keyOf(identity: BackendIdentity): string {
  const { cluster, subcluster, id, url } = identity;
  return JSON.stringify([cluster, subcluster, id, url.href]);
}
