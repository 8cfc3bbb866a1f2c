/**
 * The control channel between the supervisor and a data plane: what is asked
 * and answered, all of it plain data, so that it crosses to a worker.
 *
 * @module
 */
import type { ListenerFiles } from "../config/check_listener_tls.ts";
import type { Config } from "../config/config.ts";
import type { BackendStates, LastError } from "../health/backend_health.ts";
import type { SharedRows } from "../health/shared_health.ts";
import type { MetricSnapshot } from "../observe/metric_snapshot.ts";
import type { BackendEvent } from "../plugin.ts";
import type { TlsRuntime } from "../tls/tls_runtime.ts";
import type { PluginArtifact } from "../plugins/plugin_artifact.ts";

/** A config that may become the current one. */
export interface Candidate {
  /** Grows with each reload. */
  readonly revision: number;
  readonly config: Config;
  /** One for each of the config's plugins, in their order. */
  readonly artifacts: readonly PluginArtifact[];
  /** What the files that the config's `tls` names hold. */
  readonly files: ListenerFiles;
  /** Ports that another worker got for addresses with port 0, by bind key. */
  readonly ports: Readonly<Record<string, number>>;
  /** The shared rows of its backends, by `backendKey`; left out = each gets one of the plane's own. */
  readonly rows?: SharedRows;
}

/** What a data plane is made with. */
export interface PlaneSettings {
  /** Its number among the workers, from 0. */
  readonly worker: number;
  /** How many workers there are. */
  readonly workers: number;
  /** The proxy's name in Via. */
  readonly instance: string;
  readonly log: Config["log"];
  /** The cell that all workers count changes of backends' states in; left out = one of the plane's own. */
  readonly epoch?: SharedArrayBuffer;
  /** What sticky cookies are signed with in all workers, 32 bytes; left out = the plane's own. */
  readonly secret?: Uint8Array;
}

/** What a prepared candidate tells. */
export interface Prepared {
  /** The ports in use by bind key. */
  readonly ports: Readonly<Record<string, number>>;
}

/** A plugin as the admin interface lists it. */
export interface PluginReport {
  readonly name: string;
  readonly use: string;
  readonly hash: string;
  readonly points: readonly string[];
  readonly errors: number;
}

/** A backend as the admin interface lists it. */
export interface BackendReport extends BackendStates {
  readonly id: string;
  readonly cluster: string;
  readonly subcluster: string;
  readonly url: string;
  /** The last failure that a worker met there. */
  readonly lastError: LastError | undefined;
  readonly active: number;
  readonly idle: number;
  readonly ok: number;
  readonly failed: number;
}

/** A session as the admin interface lists it. */
export interface SessionReport {
  readonly id: string;
  readonly worker: number;
  readonly listener: string;
  readonly protocol: "http" | "tcp";
  readonly remote: string;
  readonly startedAt: number;
  readonly transactions: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly state: string;
  readonly backend: string | undefined;
}

/** A listener as the admin interface lists it. */
export interface ListenerReport {
  readonly name: string;
  readonly address: string;
  readonly state: string;
  readonly open: number;
  /** Which runtime ends TLS there, and why; left out where there is none. */
  readonly tls?: TlsRuntime;
}

/** What a data plane tells of itself. */
export interface PlaneReport {
  readonly revision: number;
  readonly metrics: MetricSnapshot;
  readonly listeners: readonly ListenerReport[];
  readonly plugins: readonly PluginReport[];
  readonly backends: readonly BackendReport[];
  /** At most so many as asked for; `sessionsOpen` counts all. */
  readonly sessions: readonly SessionReport[];
  readonly sessionsOpen: number;
}

/** What a data plane can be asked; every call may be answered from another thread. */
export interface PlaneControl {
  /**
   * Takes a candidate as far as possible without using it: plugins set up,
   * conditions compiled, new listeners bound. Rejects with a
   * {@linkcode RefusedError} and nothing has changed.
   */
  prepare(candidate: Candidate): Promise<Prepared>;
  /** Makes the prepared candidate the current config, at once. */
  commit(revision: number): Promise<void>;
  /** Forgets the prepared candidate. */
  discard(revision: number): Promise<void>;
  /** What there is; at most so many sessions one by one. */
  report(sessions: number): Promise<PlaneReport>;
  /** A backend's state changed: plugins are told. */
  backendChanged(event: BackendEvent): Promise<void>;
  /** Stops accepting and resolves when all sessions have ended, at the latest after so many milliseconds, when they are cut. */
  drain(timeout: number): Promise<void>;
  /** Ends it: cuts what is open, ends the plugins. */
  stop(): Promise<void>;
}

/** A candidate that a data plane refuses, with every reason. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}
