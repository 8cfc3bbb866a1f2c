/**
 * The config of a data plane over reloads: a candidate becomes a snapshot, with
 * what lives on from one config to the next (plugins, backends, clusters' lives,
 * the cache, listeners), and the snapshot becomes the current one, or nothing.
 *
 * @module
 */
import { ClusterLives } from "../balance/cluster_life.ts";
import type { BuffersConfig, Config } from "../config/config.ts";
import type { BackendRegistry } from "../connect/backend_registry.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { SeatCounts } from "../shared/seat_counts.ts";
import { buildSnapshot, SnapshotError } from "../snapshot/build.ts";
import type { PluginUse } from "../snapshot/handler_tables.ts";
import { Snapshot } from "../snapshot/snapshot.ts";
import type { BoundListeners, PreparedListeners } from "./bound_listeners.ts";
import { type Candidate, type Prepared, RefusedError } from "./control.ts";
import type { NodeTls } from "./node_tls.ts";
import type { PlaneCache } from "./plane_cache.ts";
import type { PlanePlugins } from "./plane_plugins.ts";
import type { SharedCounts } from "./shared_counts.ts";

/** What lives on from one config to the next, and who hears of it. */
export interface ConfigTurnoverOptions {
  readonly env: PlaneEnv;
  readonly plugins: PlanePlugins;
  readonly backends: BackendRegistry;
  readonly caches: PlaneCache;
  readonly listeners: BoundListeners;
  readonly shared: SharedCounts;
  readonly nodeTls: NodeTls;
  /** What sticky cookies are signed with, 32 bytes. */
  readonly secret: Uint8Array;
  /** Another snapshot is the current one: sessions whose listener or backend is gone are to leave. */
  readonly onChanged: () => void;
}

/** What was made of a candidate. */
interface Made {
  readonly snapshot: Snapshot;
  /** The plugins that it holds. */
  readonly uses: readonly PluginUse[];
  readonly waiting: Waiting;
}

/** Counts those that wait for slots over all workers, by cluster: those whose backends have bounded ones. */
type Waiting = ReadonlyMap<string, SeatCounts | undefined>;

/** A candidate on its way to be the current config. */
interface Pending {
  readonly revision: number;
  readonly snapshot: Snapshot;
  readonly buffers: BuffersConfig;
  readonly waiting: Waiting;
  readonly listeners: PreparedListeners;
  readonly paused: readonly string[];
}

/** The configs of one data plane, one after another. */
export class ConfigTurnover {
  /** What a transaction that starts now goes by. */
  current: Snapshot = emptySnapshot(0);
  readonly #options: ConfigTurnoverOptions;
  readonly #lives: ClusterLives;
  #pending: Pending | undefined;
  #waiting: Waiting = new Map();
  #ended = false;

  constructor(options: ConfigTurnoverOptions) {
    this.#options = options;
    this.#lives = new ClusterLives(options.env.deadlines);
  }

  /** Takes a candidate as far as possible without using it. Rejects with a {@linkcode RefusedError}, and nothing has changed. */
  async prepare(candidate: Candidate): Promise<Prepared> {
    const { plugins, listeners, shared, nodeTls } = this.#options;
    const { revision, config: { buffers }, ports, paused = [] } = candidate;
    const { snapshot, uses, waiting } = await this.#make(candidate);
    let bound: PreparedListeners;
    try {
      await nodeTls.check(snapshot.listeners);
      bound = await listeners.prepare(snapshot.listeners, ports);
      this.#pending = {
        revision,
        snapshot,
        buffers,
        waiting,
        listeners: bound,
        paused,
      };
    } catch (thrown) {
      snapshot.release();
      this.#retireUnused();
      throw refusal(thrown);
    }
    if (this.#ended) {
      await this.discard(revision);
      throw new RefusedError(["The data plane has ended"]);
    }
    return {
      ports: bound.ports,
      addresses: Array.from(
        bound.all.values(),
        ({ frontend }) => frontend.address,
      ),
      memories: [
        ...plugins.memoriesOf(uses),
        ...bound.counts.memories,
        ...shared.queueMemories(waiting.keys()),
      ],
    };
  }

  /** What `use` makes of a candidate that is built and forgotten. Rejects with a {@linkcode RefusedError}. */
  async try<T>(
    candidate: Candidate,
    use: (snapshot: Snapshot) => T,
  ): Promise<T> {
    const { snapshot } = await this.#make(candidate);
    try {
      await this.#options.nodeTls.check(snapshot.listeners);
      return use(snapshot);
    } finally {
      snapshot.release();
    }
  }

  /** Makes a candidate the current config, and binds nothing: for proxies in memory. Rejects with a {@linkcode RefusedError}. */
  async adopt(candidate: Candidate): Promise<void> {
    const { snapshot, waiting } = await this.#make(candidate);
    const old = this.current;
    this.#use(snapshot, candidate.config.buffers);
    this.#waiting = waiting;
    old.release();
  }

  /** Makes the prepared candidate the current config, at once; resolves when listeners that are gone have let go of their addresses. */
  async commit(revision: number): Promise<void> {
    const { listeners, onChanged } = this.#options;
    const pending = this.#takePending(revision);
    const old = this.current;
    this.#use(pending.snapshot, pending.buffers);
    this.#waiting = pending.waiting;
    listeners.pause(new Set(pending.paused), pending.listeners);
    const swapped = listeners.commit(pending.listeners);
    this.#retireUnused();
    onChanged();
    old.release();
    await swapped;
  }

  /** Forgets the candidate, where it was prepared. */
  async discard(revision: number): Promise<void> {
    const { listeners } = this.#options;
    if (this.#pending?.revision === revision) {
      const pending = this.#takePending(revision);
      pending.snapshot.release();
      this.#retireUnused();
      await listeners.discard(pending.listeners);
    } else listeners.restoreOptions();
  }

  /** Refuses what is being prepared, or comes. */
  refuse(): void {
    this.#ended = true;
  }

  /** Lets go of everything: no config is left. */
  async end(): Promise<void> {
    this.refuse();
    if (this.#pending !== undefined) await this.discard(this.#pending.revision);
    const old = this.current;
    this.current = emptySnapshot(-1);
    this.#retireUnused();
    old.release();
  }

  /** Has the plugins set up and the snapshot built, or gives back all of it. */
  async #make(candidate: Candidate): Promise<Made> {
    const { plugins } = this.#options;
    const uses = await plugins.acquire(candidate);
    try {
      const waiting = await this.#countWaiting(candidate.config);
      const snapshot = this.#build(candidate, uses, waiting);
      return { snapshot, uses, waiting };
    } catch (thrown) {
      plugins.release(uses);
      this.#retireUnused();
      throw refusal(thrown);
    }
  }

  /** Those of the current config count on. */
  async #countWaiting({ clusters }: Config): Promise<Waiting> {
    const bounded = clusters.filter(({ subclusters }) =>
      subclusters.some(({ backends }) =>
        backends.some(({ maxConnections }) => maxConnections !== undefined)
      )
    );
    const entries = await Promise.all(bounded.map(async ({ name }) =>
      [
        name,
        this.#waiting.get(name) ?? await this.#options.shared.waiting(name),
      ] as const
    ));
    return new Map(entries);
  }

  #build(
    candidate: Candidate,
    uses: readonly PluginUse[],
    waiting: Waiting,
  ): Snapshot {
    const { env, backends, caches, plugins, secret } = this.#options;
    return buildSnapshot({
      revision: candidate.revision,
      config: candidate.config,
      files: candidate.files,
      plugins: uses,
      backends,
      lives: this.#lives,
      waiting,
      rows: candidate.rows,
      secret,
      clock: env.clock,
      metrics: env.metrics,
      cache: (config) => caches.open(config),
      onUnused: () => plugins.release(uses),
    });
  }

  #use(snapshot: Snapshot, { bulk }: BuffersConfig): void {
    this.current = snapshot;
    this.#options.env.buffers.limitBulk(bulk);
    this.#options.env.specimens.clear();
    this.#options.caches.use(snapshot.cache?.cache);
    for (const cluster of snapshot.clusters.values()) cluster.activate();
  }

  #takePending(revision: number): Pending {
    const pending = this.#pending;
    if (pending?.revision !== revision) {
      throw new RangeError(
        `Cannot use revision ${revision} as it is not prepared: prepared is ${pending?.revision}`,
      );
    }
    this.#pending = undefined;
    return pending;
  }

  /** Backends that neither the current nor the prepared config has. */
  #retireUnused(): void {
    const clusters = [this.current, this.#pending?.snapshot].flatMap(
      (snapshot) => [...snapshot?.clusters.values() ?? []],
    );
    this.#lives.keep(new Set(clusters.map(({ name }) => name)));
    const kept = clusters.flatMap(({ members }) =>
      members.map(({ backend }) => backend)
    );
    this.#options.backends.retireOthers(new Set(kept));
  }
}

function emptySnapshot(revision: number): Snapshot {
  return new Snapshot({
    revision,
    clusters: new Map(),
    dialers: new Map(),
    admins: new Map(),
    onUnused: () => {},
  });
}

function refusal(thrown: unknown): Error {
  if (thrown instanceof SnapshotError) return new RefusedError(thrown.problems);
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
