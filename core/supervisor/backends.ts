/**
 * All backends of the proxy as the supervisor sees them: it owns the rows that
 * the workers share, has them checked, changes them for operators, and hears
 * of every change.
 *
 * @module
 */
import type { BackendConfig, ClusterConfig, Config } from "../config/config.ts";
import { BackendHealth } from "../health/backend_health.ts";
import { type AdminState, BackendRow, makeRow } from "../health/backend_row.ts";
import { type Checked, Checker, type CheckResult } from "../health/checker.ts";
import { createProbe, type ProbeTarget, probeTarget } from "../health/probe.ts";
import { backendKey, Epoch, type SharedRows } from "../health/shared_health.ts";
import { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import { Deadlines } from "../net/deadlines.ts";
import type { Resolver } from "../net/resolver.ts";
import type { CoreLog } from "../observe/log.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { BackendEvent } from "../plugin.ts";

/** What they need of the supervisor. */
export interface BackendsOptions {
  /** How many seats workers have. */
  readonly seats: number;
  readonly clock: Clock;
  readonly log: CoreLog;
  readonly metrics: ProxyMetrics;
  readonly resolver: Resolver;
  /** Tells all planes of a change. */
  readonly tellPlanes: (event: BackendEvent) => void;
}

/** What an operator wants to be changed of a backend; what is left out stays. */
export interface BackendChange {
  readonly state?: AdminState | undefined;
  /** Null = the config's. */
  readonly weight?: number | null | undefined;
}

/** A backend of the config in use. */
interface Known {
  readonly config: BackendConfig;
  readonly buffer: SharedArrayBuffer;
  readonly row: BackendRow;
  readonly health: BackendHealth;
}

/** A backend of a config. */
interface Configured {
  readonly key: string;
  readonly cluster: ClusterConfig;
  readonly config: BackendConfig;
}

const OPERATOR = "An operator asked for it";

/** The backends of one proxy. */
export class Backends {
  /** Counts changes of all backends' states. */
  readonly epoch = new SharedArrayBuffer(4);
  readonly #options: BackendsOptions;
  readonly #epoch = new Epoch(this.epoch);
  readonly #checker: Checker<ProbeTarget>;
  #known: ReadonlyMap<string, Known> = new Map();
  /** Keys by id: ids are unique in the file. */
  #keys: ReadonlyMap<string, string> = new Map();
  /** Clusters by their backends' ids. */
  #clusters: ReadonlyMap<string, string> = new Map();
  /** A config was in use before: what is new now is new to clients, too. */
  #serving = false;

  constructor(options: BackendsOptions) {
    const { clock, resolver } = options;
    this.#options = options;
    this.#checker = new Checker({
      clock,
      run: createProbe({
        clock,
        deadlines: new Deadlines(clock),
        buffers: new Buffers(),
        resolver,
      }),
    });
  }

  /** The rows for a config that may come into use: those that there are, and new ones. */
  rowsFor(config: Config): SharedRows {
    const { seats } = this.#options;
    return new Map(
      configured(config).map(({ key }) => [
        key,
        this.#known.get(key)?.buffer ?? makeRow(seats),
      ]),
    );
  }

  /**
   * The config is in use now, with what `rowsFor` gave for it. What operators
   * set stays, but a weight goes where the config's own was changed.
   */
  commit(config: Config, rows: SharedRows): void {
    const all = configured(config);
    const known = new Map<string, Known>();
    for (const one of all) {
      const before = this.#known.get(one.key);
      known.set(
        one.key,
        before === undefined
          ? this.#add(one, rows.get(one.key)!)
          : renew(before, one),
      );
    }
    this.#known = known;
    this.#keys = new Map(all.map(({ key, config: { id } }) => [id, key]));
    this.#forgetOthers(all);
    this.#serving = true;
    this.#checker.update(all.flatMap((one): Checked<ProbeTarget>[] => {
      const { key, cluster, config: { url } } = one;
      const { health } = known.get(key)!;
      const { health: config } = cluster;
      return config === undefined
        ? []
        : [{ key, health, target: probeTarget(url, cluster), config }];
    }));
  }

  /** A worker gets this seat. */
  openSeat(seat: number): void {
    for (const { row } of this.#known.values()) row.welcomeWorker(seat);
  }

  /** The worker of this seat is gone with all that it did. */
  loseSeat(seat: number): void {
    for (const { row } of this.#known.values()) row.forgetWorker(seat);
    this.#epoch.advance();
  }

  /** A state changed, here or in a plane: one line, one count, and all planes hear of it. */
  changed(event: BackendEvent): void {
    const { log, metrics, tellPlanes } = this.#options;
    const { cluster, backend, kind, from, to, cause } = event;
    const fields = { cluster, backend, kind, from, to, cause };
    log[levelOf(event)]("The state of a backend changed", fields);
    // What was begun at one that is gone may still fail there: its counts stay gone.
    if (this.#clusters.get(backend) === cluster) {
      metrics.backendStateChanges
        .series(cluster, backend, kind, kind === "weight" ? "set" : to).add();
    }
    tellPlanes(event);
  }

  /** What an operator wants of a backend; undefined where there is none of this id. */
  state(id: string): AdminState | undefined {
    return this.#find(id)?.[1].health.state;
  }

  /** Changes a backend for an operator; false where there is none of this id. */
  change(id: string, { state, weight }: BackendChange): boolean {
    const entry = this.#find(id);
    if (entry === undefined) return false;
    const [key, { health }] = entry;
    const before = health.state;
    if (weight !== undefined) health.setWeight(weight ?? undefined, OPERATOR);
    if (state !== undefined) health.setState(state, OPERATOR);
    if (before === "maintenance" && health.state !== before) {
      this.#checker.recheck(key);
    }
    return true;
  }

  /** Closes a backend's breaker and ends its ejection; whether there was anything to do, undefined where there is none of this id. */
  reset(id: string): boolean | undefined {
    return this.#find(id)?.[1].health.reset(OPERATOR);
  }

  /** How the last check of a backend went; undefined where there was none. */
  lastCheck(id: string): CheckResult | undefined {
    const entry = this.#find(id);
    return entry && this.#checker.last(entry[0]);
  }

  /** Ends the checks. */
  stop(): void {
    this.#checker.stop();
  }

  #add(
    { cluster, config }: Configured,
    buffer: SharedArrayBuffer,
  ): Known {
    const row = new BackendRow(buffer);
    const health = new BackendHealth({
      cluster: cluster.name,
      backend: config.id,
      row,
      epoch: this.#epoch,
      // No worker's count is touched: nothing is begun here.
      worker: 0,
      clock: this.#options.clock,
      notify: (event) => this.changed(event),
    }, settingsOf(cluster, config));
    if (this.#serving) health.startSlowly();
    return { config, buffer, row, health };
  }

  /** The counts of backends that are gone go: addresses of a name may come and go for ever. */
  #forgetOthers(all: readonly Configured[]): void {
    const clusters = new Map(
      all.map(({ cluster, config: { id } }) => [id, cluster.name]),
    );
    const { backendStateChanges } = this.#options.metrics;
    for (const [id, cluster] of this.#clusters) {
      if (clusters.get(id) !== cluster) {
        backendStateChanges.deleteAll(cluster, id);
      }
    }
    this.#clusters = clusters;
  }

  #find(id: string): readonly [key: string, known: Known] | undefined {
    const key = this.#keys.get(id);
    return key === undefined ? undefined : [key, this.#known.get(key)!];
  }
}

/** A backend that was there before, with what its new config says. */
function renew(before: Known, { cluster, config }: Configured): Known {
  const { health } = before;
  if (before.config.weight !== config.weight) {
    health.setWeight(undefined, "The config's weight was changed");
  }
  if (cluster.health === undefined) {
    health.setChecked(true, "The config has no checks any more");
  }
  health.update(settingsOf(cluster, config));
  return { ...before, config };
}

function settingsOf(cluster: ClusterConfig, { weight }: BackendConfig) {
  const { passiveHealth, breaker, slowStart } = cluster;
  return { weight, passiveHealth, breaker, slowStart };
}

function configured(config: Config): Configured[] {
  return config.clusters.flatMap((cluster) =>
    cluster.subclusters.flatMap((subcluster) =>
      subcluster.backends.map((config) => ({
        key: backendKey({
          cluster: cluster.name,
          subcluster: subcluster.name,
          id: config.id,
          url: config.url,
        }),
        cluster,
        config,
      }))
    )
  );
}

/** Trials come again and again where a backend stays away. */
function levelOf({ to }: BackendEvent): "debug" | "info" | "warn" {
  if (to === "half-open") return "debug";
  return to === "down" || to === "ejected" || to === "open" ? "warn" : "info";
}
