/**
 * A data plane: listeners, sessions and backends by one snapshot, told what to
 * do over the control channel. One value without state outside of it: it runs
 * in the main thread or once per worker.
 *
 * @module
 */
import { bind, bindAddresses, BindError, bindKey } from "../listener/bind.ts";
import type { Initiator } from "../listener/initiator.ts";
import { type Acceptor, Listener } from "../listener/listener.ts";
import { BackendRegistry } from "../connect/backend_registry.ts";
import { ProxyError } from "../errors.ts";
import { LoopLagMeter } from "../observe/loop_lag.ts";
import type { MetricRegistry } from "../observe/metrics.ts";
import { pluginMetrics } from "../observe/plugin_metrics.ts";
import type { CoreLog } from "../observe/log.ts";
import type { Plugin } from "../plugin.ts";
import { type PluginInstance, PluginInstances } from "../plugins/instances.ts";
import { PluginLoadError } from "../plugins/plugin_load_error.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { SessionHost } from "../session/host.ts";
import { Session } from "../session/session.ts";
import type { Transaction } from "../session/transaction.ts";
import { buildSnapshot, SnapshotError } from "../snapshot/build.ts";
import type { PluginUse } from "../snapshot/handler_tables.ts";
import { Snapshot } from "../snapshot/snapshot.ts";
import { verdicts } from "../verdict.ts";
import {
  type Candidate,
  type PlaneControl,
  type PlaneReport,
  type PlaneSettings,
  type Prepared,
  RefusedError,
} from "./control.ts";
import { reportPlane } from "./report.ts";
import { Subrequests } from "./subrequest.ts";
import { TransactionCounts } from "./transaction_counts.ts";

/** What a data plane is made of. */
export interface DataPlaneParts {
  readonly settings: PlaneSettings;
  readonly env: PlaneEnv;
  readonly registry: MetricRegistry;
  readonly log: CoreLog;
  readonly builtins: ReadonlyMap<string, Plugin>;
}

/** A candidate on its way to be the current config. */
interface Pending {
  readonly revision: number;
  readonly snapshot: Snapshot;
  readonly listeners: Map<string, Listener>;
  /** Those of them that are new: closed where the candidate is discarded. */
  readonly fresh: readonly Listener[];
}

/** A data plane. */
export class DataPlane implements PlaneControl, SessionHost {
  readonly env: PlaneEnv;
  readonly backends: BackendRegistry;
  readonly plugins: PluginInstances;
  readonly sessions = new Set<Session>();
  listeners = new Map<string, Listener>();
  current: Snapshot;
  draining = false;

  readonly #parts: DataPlaneParts;
  readonly #counts: TransactionCounts;
  readonly #lag: LoopLagMeter;
  #pending: Pending | undefined;
  #idle: (() => void) | undefined;

  constructor(parts: DataPlaneParts) {
    this.#parts = parts;
    this.env = parts.env;
    this.backends = new BackendRegistry(parts.env);
    this.plugins = new PluginInstances({
      builtins: parts.builtins,
      clock: parts.env.clock,
      log: parts.log,
    });
    this.current = new Snapshot({
      revision: 0,
      clusters: new Map(),
      onUnused: () => {},
    });
    const { metrics, clock } = parts.env;
    this.#counts = new TransactionCounts(metrics);
    this.#lag = new LoopLagMeter({
      clock,
      histogram: metrics.eventLoopLag.series(),
    });
    metrics.sessionsOpen.collect(() => this.sessions.size);
    for (const direction of ["in", "out"] as const) {
      metrics.bytes.collect(
        () => parts.env.clientBytes[direction],
        direction,
        "client",
      );
      metrics.bytes.collect(
        () => parts.env.backendBytes[direction],
        direction,
        "backend",
      );
    }
  }

  // ------------------------------------------------------------ PlaneControl

  async prepare(candidate: Candidate): Promise<Prepared> {
    const uses = await this.#acquirePlugins(candidate);
    let snapshot: Snapshot | undefined;
    const fresh: Listener[] = [];
    try {
      snapshot = this.#build(candidate, uses);
      const listeners = await this.#bindAll(candidate, fresh);
      this.#pending = {
        revision: candidate.revision,
        snapshot,
        listeners,
        fresh,
      };
      return { ports: portsOf(listeners) };
    } catch (thrown) {
      await Promise.all(fresh.map((listener) => listener.close()));
      if (snapshot !== undefined) snapshot.release();
      else this.#releasePlugins(uses);
      this.#retireUnused();
      throw refusal(thrown);
    }
  }

  /** As `prepare`, but binds nothing and keeps nothing: for `headrace check`. */
  async check(candidate: Candidate): Promise<void> {
    const uses = await this.#acquirePlugins(candidate);
    try {
      this.#build(candidate, uses).release();
    } catch (thrown) {
      this.#releasePlugins(uses);
      throw refusal(thrown);
    }
  }

  commit(revision: number): Promise<void> {
    const pending = this.#takePending(revision);
    const old = this.current;
    this.current = pending.snapshot;
    for (const cluster of pending.snapshot.clusters.values()) {
      cluster.activate();
    }
    const dropped = [...this.listeners.values()].filter((listener) =>
      ![...pending.listeners.values()].includes(listener)
    );
    this.listeners = pending.listeners;
    for (const listener of pending.fresh) listener.activate();
    for (const listener of dropped) listener.close();
    this.#retireUnused();
    this.#drainOrphans();
    old.release();
    return Promise.resolve();
  }

  async discard(revision: number): Promise<void> {
    const pending = this.#takePending(revision);
    await Promise.all(pending.fresh.map((listener) => listener.close()));
    pending.snapshot.release();
    this.#retireUnused();
  }

  report(sessions: number): Promise<PlaneReport> {
    return Promise.resolve(
      reportPlane(this, {
        settings: this.#parts.settings,
        registry: this.#parts.registry,
        sessions,
      }),
    );
  }

  async drain(timeout: number): Promise<void> {
    this.draining = true;
    await Promise.all(
      [...this.listeners.values()].map((listener) => listener.close()),
    );
    for (const session of this.sessions) session.drain();
    if (this.sessions.size === 0) return;
    const ended = new Promise<void>((resolve) => this.#idle = resolve);
    const cancel = this.env.clock.after(timeout, () => this.#cut());
    await ended;
    cancel();
  }

  async stop(): Promise<void> {
    this.draining = true;
    await Promise.all(
      [...this.listeners.values()].map((listener) => listener.close()),
    );
    this.#cut();
    this.#lag[Symbol.dispose]();
    this.listeners = new Map();
    const old = this.current;
    this.current = new Snapshot({
      revision: -1,
      clusters: new Map(),
      onUnused: () => {},
    });
    this.#retireUnused();
    old.release();
    await Promise.all(this.#releases);
  }

  // ------------------------------------------------------------- SessionHost

  opened(session: Session): void {
    this.sessions.add(session);
    this.env.metrics.sessions.series(session.listener).add();
  }

  ended(session: Session): void {
    this.sessions.delete(session);
    if (this.sessions.size === 0) this.#idle?.();
  }

  count(transaction: Transaction): void {
    this.#counts.count(transaction);
  }

  refuseRetry(): void {
    this.env.log.debug("A handler's retry could not be followed");
  }

  // ----------------------------------------------------------------- the rest

  readonly #releases = new Set<Promise<void>>();

  async #acquirePlugins(candidate: Candidate): Promise<PluginUse[]> {
    const { config, artifacts } = candidate;
    const acquired = await Promise.allSettled(
      config.plugins.map((plugin, i) =>
        this.plugins.acquire(
          {
            artifact: artifacts[i]!,
            name: plugin.name,
            options: plugin.options,
          },
          (spec, options, signal) => this.#context(spec.name, options, signal),
        )
      ),
    );
    const uses: PluginUse[] = [];
    const problems: string[] = [];
    acquired.forEach((result, i) => {
      if (result.status === "fulfilled") {
        uses.push({ instance: result.value, config: config.plugins[i]! });
      } else {
        problems.push(messageOf(result.reason));
      }
    });
    if (problems.length > 0) {
      this.#releasePlugins(uses);
      throw new RefusedError(problems);
    }
    return uses;
  }

  #build(candidate: Candidate, uses: readonly PluginUse[]): Snapshot {
    return buildSnapshot({
      revision: candidate.revision,
      config: candidate.config,
      plugins: uses,
      backends: this.backends,
      metrics: this.env.metrics,
      onUnused: () => this.#releasePlugins(uses),
    });
  }

  #context(name: string, options: unknown, signal: AbortSignal) {
    const { registry, log } = this.#parts;
    const subrequests = new Subrequests({
      env: this.env,
      enter: (initiator, listener) => this.#enter(initiator, listener),
    });
    return {
      name,
      options,
      signal,
      verdict: verdicts,
      log: log.with({ plugin: name }),
      metrics: pluginMetrics(registry, name),
      request: subrequests.send.bind(subrequests),
      clock: this.env.clock,
    };
  }

  #enter(initiator: Initiator, name: string | undefined): void {
    for (const listener of this.current.listeners) {
      if (listener.protocol !== "http") continue;
      if (name !== undefined && listener.name !== name) continue;
      new Session(this, listener, initiator).run();
      return;
    }
    throw new TypeError(
      name === undefined
        ? "Cannot send the request as there is no http listener"
        : `Cannot send the request as there is no http listener "${name}"`,
    );
  }

  #releasePlugins(uses: readonly { instance: PluginInstance }[]): void {
    for (const { instance } of uses) {
      const release = this.plugins.release(instance);
      this.#releases.add(release);
      release.then(() => this.#releases.delete(release));
    }
  }

  /** Keeps the sockets of addresses that stay, binds the others. */
  async #bindAll(
    candidate: Candidate,
    fresh: Listener[],
  ): Promise<Map<string, Listener>> {
    const { workers, worker } = this.#parts.settings;
    const listeners = new Map<string, Listener>();
    const problems: string[] = [];
    for (const config of candidate.config.listeners) {
      for (const address of bindAddresses(config)) {
        const key = bindKey(address);
        // A unix socket has one owner: the kernel spreads only ports.
        if (address.address.kind === "unix" && worker > 0) continue;
        const kept = this.listeners.get(key);
        if (kept !== undefined) {
          listeners.set(key, kept);
          continue;
        }
        try {
          const bound = await bind(address, {
            reusePort: workers > 1,
            port: candidate.ports[key],
          });
          const listener = new Listener(
            bound,
            this.#acceptor(key),
            { clock: this.env.clock, log: this.env.log },
          );
          fresh.push(listener);
          listeners.set(key, listener);
        } catch (thrown) {
          if (!(thrown instanceof BindError)) throw thrown;
          problems.push(`listeners "${config.name}": ${thrown.message}`);
        }
      }
    }
    if (problems.length > 0) throw new RefusedError(problems);
    return listeners;
  }

  /** The address's listener may get another name or other limits by a reload: it is looked up anew. */
  #acceptor(key: string): Acceptor {
    const runtime = () => {
      for (const listener of this.current.listeners) {
        if (bindAddresses(listener.config).some((a) => bindKey(a) === key)) {
          return listener;
        }
      }
      throw new RangeError(`No listener has the address ${key}`);
    };
    let revision = -1;
    let known = undefined as ReturnType<typeof runtime> | undefined;
    const lookUp = () => {
      if (known === undefined || revision !== this.current.revision) {
        known = runtime();
        revision = this.current.revision;
      }
      return known;
    };
    const { workers } = this.#parts.settings;
    return {
      rules: () => {
        const { limits, socket } = lookUp().config;
        return {
          // The kernel spreads connections evenly enough for a bound.
          connections: Math.ceil(limits.connections / workers),
          connectionsPerAddress: limits.connectionsPerAddress,
          noDelay: socket.noDelay,
          keepAlive: socket.keepAlive,
        };
      },
      session: (initiator, refusal) =>
        new Session(this, lookUp(), initiator).run(
          refusal === undefined
            ? undefined
            : new ProxyError("too_many_connections", refusal),
        ),
    };
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
    const kept = [this.current, this.#pending?.snapshot].flatMap((snapshot) =>
      [...snapshot?.clusters.values() ?? []].flatMap((cluster) =>
        cluster.backends.map(({ backend }) => backend)
      )
    );
    this.backends.retireOthers(new Set(kept));
  }

  /** Sessions whose listener is gone end after their current transaction. */
  #drainOrphans(): void {
    for (const session of this.sessions) {
      if (this.current.listener(session.listener) === undefined) {
        session.drain();
      }
    }
  }

  /** Ends every session now. */
  #cut(): void {
    const reason = new ProxyError("shutting_down", "The proxy shuts down");
    for (const session of this.sessions) session.abort(reason);
  }
}

function portsOf(
  listeners: ReadonlyMap<string, Listener>,
): Record<string, number> {
  return Object.fromEntries(
    [...listeners].map(([key, listener]) => [key, listener.address.port]),
  );
}

function refusal(thrown: unknown): Error {
  if (thrown instanceof SnapshotError) return new RefusedError(thrown.problems);
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof PluginLoadError) return thrown.message;
  return thrown instanceof Error ? thrown.message : String(thrown);
}
