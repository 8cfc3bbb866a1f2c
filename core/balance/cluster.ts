/**
 * A cluster in one snapshot: which of its backends gets the next attempt.
 *
 * @module
 */
import type { ClusterConfig } from "../config/config.ts";
import type { Backend, BackendSettings } from "../connect/backend.ts";
import type { Epoch } from "../health/shared_health.ts";
import type { Clock } from "../net/clock.ts";
import { SmoothRoundRobin } from "./smooth_round_robin.ts";

/** What tells when backends have to be looked at anew. */
export interface ClusterSurroundings {
  readonly epoch: Epoch;
  readonly clock: Clock;
}

/** A subcluster that has backends to pick. */
interface Subcluster {
  /** Those that are eligible. */
  readonly backends: readonly Backend[];
  readonly turn: SmoothRoundRobin<Backend>;
}

/** A backend with its weight in this snapshot. */
export interface WeightedBackend {
  readonly backend: Backend;
  readonly weight: number;
}

/** A service of several backends. */
export class Cluster {
  readonly name: string;
  readonly config: ClusterConfig;
  readonly #byId: ReadonlyMap<string, Backend>;
  #subclusters = new SmoothRoundRobin<Subcluster>([]);
  /** The epoch that the subclusters are of, and from when until when they are right. */
  #epoch: number | undefined;
  #since = 0;
  #until = Infinity;
  readonly #groups: readonly (readonly WeightedBackend[])[];
  readonly #all: readonly WeightedBackend[];
  readonly #settings: BackendSettings;
  readonly #surroundings: ClusterSurroundings;

  /** `backends` are in the order of the config's subclusters. */
  constructor(
    config: ClusterConfig,
    backends: readonly (readonly WeightedBackend[])[],
    settings: BackendSettings,
    surroundings: ClusterSurroundings,
  ) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#groups = backends;
    this.name = config.name;
    this.config = config;
    this.#all = backends.flat();
    this.#byId = new Map(
      this.#all.map(({ backend }) => [backend.id, backend]),
    );
  }

  /** Its snapshot is the current one now: backends that stayed take its settings. */
  activate(): void {
    for (const { backend, weight } of this.#all) {
      backend.update(this.#settings, weight);
    }
    this.#epoch = undefined;
  }

  /** Every backend with its weight. */
  get backends(): readonly WeightedBackend[] {
    return this.#all;
  }

  /** The backend of this id. */
  find(id: string): Backend | undefined {
    return this.#byId.get(id);
  }

  /** The backend for the next attempt, none of `excluded`; undefined where none is left. */
  pick(excluded: ReadonlySet<Backend> | undefined): Backend | undefined {
    this.#refresh();
    if (excluded === undefined) {
      return this.#subclusters.pick()?.turn.pick();
    }
    const usable = (backend: Backend) => !excluded.has(backend);
    return this.#subclusters
      .pick((subcluster) => subcluster.backends.some(usable))
      ?.turn.pick(usable);
  }

  /** Looks at the backends anew where a state changed, or the time has come. */
  #refresh(): void {
    const { epoch, clock } = this.#surroundings;
    const { value } = epoch;
    // Asking the clock costs more than the whole pick: only where time can tell.
    if (value === this.#epoch && this.#until === Infinity) return;
    const now = clock.wall();
    if (
      value === this.#epoch && this.#since <= now && now < this.#until
    ) return;
    this.#epoch = value;
    this.#since = now;
    this.#until = Math.min(
      ...this.#all.map(({ backend }) => backend.health.changesAt(now)),
    );
    this.#subclusters = new SmoothRoundRobin(
      this.config.subclusters.flatMap(({ weight }, i) => {
        const item = makeSubcluster(this.#groups[i]!, now);
        // One without backends to pick must not swallow its share of attempts.
        return item.backends.length === 0 ? [] : [{ weight, item }];
      }),
    );
  }
}

function makeSubcluster(
  group: readonly WeightedBackend[],
  now: number,
): Subcluster {
  const backends = group.map(({ backend }) => backend)
    .filter(({ health }) => health.eligible(now));
  return {
    backends,
    turn: new SmoothRoundRobin(
      backends.map((item) => ({ item, weight: item.health.weight(now) })),
    ),
  };
}
