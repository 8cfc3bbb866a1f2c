/**
 * The data planes of one proxy, each in a worker: a change reaches all of them
 * or none, and one that is lost is replaced.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { Config } from "../config/config.ts";
import {
  type AdministerAction,
  type Administered,
  type Candidate,
  type MovedSessions,
  type Moves,
  type PlaneControl,
  type PlaneReport,
  type PluginAnswer,
  type PluginRequest,
  RefusedError,
  type WebSocketListing,
  type WebSocketQuery,
} from "../data_plane/control.ts";
import type { DescribedRequest } from "../explain/described_request.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { MetricSnapshot } from "../observe/metric_snapshot.ts";
import type { BackendEvent } from "../plugin.ts";
import type { TraceReport } from "../session/trace_report.ts";
import type { ListenerLocks } from "../takeover/listener_locks.ts";
import type { LoadedConfig } from "./load_candidate.ts";
import type { Names } from "./names.ts";
import {
  revise,
  type Revised,
  type RuntimeBackends,
  UNCHANGED,
} from "./runtime_backends.ts";
import {
  lostToUndefined,
  nobodyThere,
  Slots,
  type SlotsOptions,
} from "./slots.ts";
import { WorkerLostError } from "./start_plane.ts";

/** What the planes are made of. */
export interface PlanesOptions extends SlotsOptions {
  /** Makes backends of names' addresses. */
  readonly names: Names;
  /** No other process has our addresses. */
  readonly locks: ListenerLocks;
}

/** All data planes. */
export class Planes {
  readonly #options: PlanesOptions;
  readonly #slots: Slots;
  #current: Candidate | undefined;
  /** What the current one was made of, as the file has it. */
  #loaded: LoadedConfig | undefined;
  /** That with what operators changed of its backends, its names as the file has them. */
  #revised: Revised | undefined;
  #revision = 0;
  /** Changes and restarts come one after another. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: PlanesOptions) {
    this.#options = options;
    this.#slots = new Slots(options, (fill) => {
      this.#enqueue(async () => {
        const candidate = this.#current;
        if (!this.#slots.closed && candidate !== undefined) {
          await fill(candidate);
        }
      });
    });
  }

  /** What workers that were lost had counted when they last told. */
  get lostMetrics(): readonly MetricSnapshot[] {
    return this.#slots.lost.snapshots;
  }

  /** What the current candidate was made of; undefined before the first change. */
  get loaded(): LoadedConfig | undefined {
    return this.#loaded;
  }

  /** What all of them use; undefined before the first change. */
  get current(): Candidate | undefined {
    return this.#current;
  }

  /**
   * Two phases: every plane takes what `load` gives, then every plane swaps.
   * Rejects with a {@linkcode RefusedError} and all keep what they have.
   */
  change(load: () => Promise<LoadedConfig>): Promise<void> {
    return this.#enqueue(async () => {
      this.#checkOpen();
      await this.#swap(await load());
    });
  }

  /** As `change`, with the config in use, where its names have other addresses now. */
  renew(): Promise<void> {
    return this.#enqueue(async () => {
      const loaded = this.#loaded;
      if (this.#slots.closed || loaded === undefined) return;
      if (this.#options.names.changed) await this.#swap(loaded);
    });
  }

  /** As `change`, with the config in use and other contents of its files; nothing happens where the config is another one by now. */
  replaceFiles(
    config: LoadedConfig["config"],
    files: LoadedConfig["files"],
  ): Promise<void> {
    return this.#enqueue(async () => {
      const loaded = this.#loaded;
      if (this.#slots.closed || loaded?.config !== config) return;
      await this.#swap({ ...loaded, files });
    });
  }

  /**
   * As `change`, with the config in use and other backends: `edit` gets that and
   * what operators changed so far. What `edit` throws is rejected with.
   */
  changeBackends(
    edit: (config: Config, runtime: RuntimeBackends) => RuntimeBackends,
  ): Promise<void> {
    return this.#enqueue(async () => {
      this.#checkOpen();
      const { config, runtime } = this.#revised!;
      const changed = edit(config, runtime);
      if (changed !== runtime) await this.#swap(this.#loaded!, changed);
    });
  }

  /**
   * Stops or begins anew to take requests on these addresses, as listings show
   * them, in all planes; false where all of them are so already.
   */
  pause(addresses: readonly string[], paused: boolean): Promise<boolean> {
    return this.#enqueue(async () => {
      this.#checkOpen();
      const all = new Set(this.#current!.paused);
      const before = all.size;
      for (const address of addresses) {
        if (paused) all.add(address);
        else all.delete(address);
      }
      if (all.size === before) return false;
      this.#current = { ...this.#current!, paused: [...all] };
      await this.#slots.each((control) => control.pause([...all]));
      return true;
    });
  }

  /** Has all planes listen at their addresses again that another process had and has left. */
  async regainListeners(): Promise<void> {
    await this.#enqueue(async () => {
      if (this.#slots.closed) return;
      await this.#slots.each((control) => control.regainListeners());
    });
  }

  /** WebSocket sessions of all planes. */
  async listWebSockets(query: WebSocketQuery): Promise<WebSocketListing> {
    const all = await this.#slots.each((control) =>
      control.listWebSockets(query)
    );
    const listings = all.filter((listing) => listing !== undefined);
    return {
      open: listings.reduce((sum, { open }) => sum + open, 0),
      sessions: listings.flatMap(({ sessions }) => sessions)
        .slice(0, query.limit),
    };
  }

  /** Closes a WebSocket session, whichever plane has it; false where there is none of this id. */
  async abortWebSocket(id: string): Promise<boolean> {
    const all = await this.#slots.each((control) => control.abortWebSocket(id));
    return all.includes(true);
  }

  /** Moves WebSocket sessions, whichever planes have them. */
  async moveWebSockets(which: MovedSessions): Promise<Moves> {
    const all = await this.#slots.each((control) =>
      control.moveWebSockets(which)
    );
    return {
      sessions: all.reduce((sum, one) => sum + (one?.sessions ?? 0), 0),
      moving: all.reduce((sum, one) => sum + (one?.moving ?? 0), 0),
    };
  }

  /** Forgets stored responses in all planes; how many there were. Rejects with a {@linkcode RefusedError}. */
  async purgeCache(purge: Purge): Promise<number> {
    // One tells the others, also those that are not there now.
    return await this.#slots.first((control) => control.purgeCache(purge));
  }

  /** What each of them tells; those that are being restarted tell nothing. */
  report(sessions: number): Promise<PlaneReport[]> {
    return this.#slots.report(sessions);
  }

  /** Which way a request would take, as one of them sees it. Rejects with a {@linkcode RefusedError}. */
  explain(request: DescribedRequest): Promise<Explanation> {
    return this.#slots.first((control) => control.explain(request));
  }

  /** What happened to a transaction that one of them traced. */
  async trace(id: string): Promise<TraceReport | undefined> {
    const traces = await this.#slots.each((control) => control.trace(id));
    return traces.find((trace) => trace !== undefined);
  }

  /** A backend's state changed: the plugins of all planes hear of it. */
  async backendChanged(event: BackendEvent): Promise<void> {
    await this.#slots.each((control) => control.backendChanged(event));
  }

  /**
   * Asks the administrator of a cluster's dialer in every plane: done where one
   * of them has done it, what it told is the first one's. Undefined where there
   * is none.
   */
  async administer(
    cluster: string,
    action: AdministerAction,
    argument: string,
  ): Promise<Administered | undefined> {
    const all = await this.#slots.each((control) =>
      control.administer(cluster, action, argument)
    );
    const answers = all.filter((answer) => answer !== undefined);
    // Done before nothing to do before failed: the numbers' own order.
    return answers.toSorted((a, b) => a.result - b.result)[0];
  }

  /** Has a plugin answer an operator, in one plane: what was asked of one that is lost is not asked again. */
  async askPlugin(request: PluginRequest): Promise<PluginAnswer> {
    const [control] = this.#slots.controls;
    const answer = await control?.askPlugin(request).catch(lostToUndefined);
    if (answer === undefined) throw nobodyThere();
    return answer;
  }

  /** Takes no change any more; resolves when all sessions have ended or were cut after so many milliseconds. */
  async drain(timeout: number, handedOver: boolean): Promise<void> {
    this.#slots.close();
    // Listeners close at once: a new process may have their addresses.
    await this.#options.locks.release();
    await this.#slots.each((control) => control.drain(timeout, handedOver));
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    await this.#slots.stop();
    await this.#options.locks.release();
  }

  #checkOpen(): void {
    if (this.#slots.closed) {
      throw new RefusedError([
        "Cannot change the config as the proxy drains or has ended",
      ]);
    }
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #swap(
    loaded: LoadedConfig,
    runtime = this.#revised?.runtime ?? UNCHANGED,
  ): Promise<void> {
    const revision = ++this.#revision;
    const { backends, names, locks } = this.#options;
    const revised = revise(loaded.config, runtime);
    const expansion = await names.expand(revised.config);
    const { config } = expansion;
    const rows = backends.rowsFor(config);
    const locked = await locks.prepare(config.listeners);
    // A worker that is being restarted gets what is current by then.
    const { controls } = this.#slots;
    const prepared: PlaneControl[] = [];
    try {
      const ports = { ...locked.ports, ...this.#current?.ports };
      const paused = this.#current?.paused ?? [];
      const { candidate, memories } = await prepareAll(
        controls,
        { ...loaded, config, revision, ports, rows, paused },
        prepared,
      );
      this.#checkOpen();
      await Promise.all(
        prepared.map((control) =>
          control.commit(revision).catch(lostToUndefined)
        ),
      );
      this.#current = candidate;
      this.#loaded = loaded;
      this.#revised = revised;
      await locks.commit(locked);
      this.#slots.shared.keep(new Set(memories));
      this.#slots.lost.keep(config);
      backends.commit(config, rows);
      names.commit(expansion);
    } catch (thrown) {
      // All of them, also those that refused it: one that took it may be lost.
      await this.#slots.each((control) => control.discard(revision));
      await locks.discard(locked);
      throw thrown;
    }
    for (const { cluster, config: { id } } of revised.dropped) {
      this.#options.log.warn(
        "A backend that was added at run time gives way to the config",
        { cluster, backend: id },
      );
    }
  }
}

/** The first plane finds the ports that the config leaves open; the others take them. */
async function prepareAll(
  controls: readonly PlaneControl[],
  candidate: Candidate,
  prepared: PlaneControl[],
): Promise<{ candidate: Candidate; memories: readonly string[] }> {
  const [first, ...others] = controls;
  if (first === undefined) {
    throw nobodyThere();
  }
  const prepare = async (control: PlaneControl, candidate: Candidate) => {
    try {
      const result = await control.prepare(candidate);
      prepared.push(control);
      return result;
    } catch (thrown) {
      // Most likely the candidate's plugins ended it.
      throw thrown instanceof WorkerLostError
        ? new RefusedError([
          `A worker was lost as it took the config: ${thrown.message}`,
        ])
        : thrown;
    }
  };
  const { ports, addresses, memories } = await prepare(first, candidate);
  const paused = candidate.paused?.filter((one) => addresses.includes(one));
  const complete = { ...candidate, ports, ...(paused && { paused }) };
  const results = await Promise.allSettled(
    others.map((control) => prepare(control, complete)),
  );
  const refusals = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason] : []
  );
  if (refusals.length > 0) throw joinRefusals(refusals);
  return { candidate: complete, memories };
}

/** Several planes mostly refuse for the same reasons: each is told once. */
function joinRefusals(refusals: readonly unknown[]): unknown {
  const other = refusals.find((thrown) => !(thrown instanceof RefusedError));
  if (other !== undefined) return other;
  const problems = (refusals as RefusedError[]).flatMap((r) => r.problems);
  return new RefusedError([...new Set(problems)]);
}
