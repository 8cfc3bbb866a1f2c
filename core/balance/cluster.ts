/**
 * A cluster in one snapshot: which of its backends gets the next attempt.
 *
 * @module
 */
import type { ClusterConfig } from "../config/config.ts";
import type { Backend, BackendSettings } from "../connect/backend.ts";
import { SmoothRoundRobin } from "./smooth_round_robin.ts";

/** A subcluster that has backends to pick. */
interface Subcluster {
  /** Those with a weight. */
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
  readonly #subclusters: SmoothRoundRobin<Subcluster>;
  readonly #all: readonly WeightedBackend[];
  readonly #settings: BackendSettings;

  /** `backends` are in the order of the config's subclusters. */
  constructor(
    config: ClusterConfig,
    backends: readonly (readonly WeightedBackend[])[],
    settings: BackendSettings,
  ) {
    this.#settings = settings;
    this.name = config.name;
    this.config = config;
    this.#all = backends.flat();
    this.#byId = new Map(
      this.#all.map(({ backend }) => [backend.id, backend]),
    );
    this.#subclusters = new SmoothRoundRobin(
      config.subclusters.flatMap(({ weight }, i) => {
        const item = makeSubcluster(backends[i]!);
        // One without backends to pick must not swallow its share of attempts.
        return item.backends.length === 0 ? [] : [{ weight, item }];
      }),
    );
  }

  /** Its snapshot is the current one now: backends that stayed take its settings. */
  activate(): void {
    for (const { backend } of this.#all) backend.update(this.#settings);
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
    if (excluded === undefined) {
      return this.#subclusters.pick()?.turn.pick();
    }
    const usable = (backend: Backend) => !excluded.has(backend);
    return this.#subclusters
      .pick((subcluster) => subcluster.backends.some(usable))
      ?.turn.pick(usable);
  }
}

function makeSubcluster(group: readonly WeightedBackend[]): Subcluster {
  return {
    backends: group.filter(({ weight }) => weight > 0)
      .map(({ backend }) => backend),
    turn: new SmoothRoundRobin(
      group.map(({ backend, weight }) => ({ item: backend, weight })),
    ),
  };
}
