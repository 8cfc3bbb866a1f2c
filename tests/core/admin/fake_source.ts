/**
 * A proxy as the admin interface sees it, for tests.
 *
 * @module
 */
import {
  type AdminAppOptions,
  createAdminApp,
} from "../../../core/admin/app.ts";
import type { AdminSource } from "../../../core/admin/source.ts";
import type { SessionReport } from "../../../core/data_plane/control.ts";
import type { Log } from "../../../core/plugin.ts";
import type { BackendChange } from "../../../core/supervisor/backends.ts";
import type { ProxyReport } from "../../../core/supervisor/proxy_report.ts";

/** Answers from its fields and notes what it was asked. */
export class FakeSource implements AdminSource {
  state: AdminSource["state"] = "ready";
  lastRefusal: readonly string[] | undefined;
  sessions = 3;
  /** What `report` was asked for. */
  readonly limits: number[] = [];
  /** What `changeBackend` was asked for. */
  readonly changes: [id: string, change: BackendChange][] = [];
  /** What `reload` rejects with. */
  reloadFailure: Error | undefined;
  /** What `drain` rejects with. */
  drainFailure: Error | undefined;
  #revision = 1;

  report(sessions: number): Promise<ProxyReport> {
    this.limits.push(sessions);
    const listed = Array.from(
      { length: Math.min(sessions, this.sessions) },
      (_, i) => session(`s${i}`),
    );
    return Promise.resolve({
      ...REPORT,
      revision: this.#revision,
      sessions: listed,
      sessionsOpen: this.sessions,
    });
  }

  changeBackend(id: string, change: BackendChange): boolean {
    this.changes.push([id, change]);
    return id === "a1";
  }

  resetBackend(id: string): boolean | undefined {
    return id === "a1" ? true : undefined;
  }

  reload(): Promise<void> {
    if (this.reloadFailure !== undefined) {
      return Promise.reject(this.reloadFailure);
    }
    this.#revision++;
    return Promise.resolve();
  }

  drain(): Promise<void> {
    if (this.drainFailure !== undefined) {
      return Promise.reject(this.drainFailure);
    }
    this.state = "draining";
    // Sessions that never end: nobody may wait for them.
    return new Promise(() => {});
  }
}

/** A log that keeps its messages with the error that came along. */
export class FakeLog implements Log {
  readonly lines: string[] = [];

  debug(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#keep("debug", message, fields);
  }

  info(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#keep("info", message, fields);
  }

  warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#keep("warn", message, fields);
  }

  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#keep("error", message, fields);
  }

  #keep(
    level: string,
    message: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): void {
    const error = fields.error === undefined ? "" : ` (${fields.error})`;
    this.lines.push(`${level} ${message}${error}`);
  }
}

/** The app over a fake source. */
export function fakeApp(
  options: Partial<AdminAppOptions> & { source?: FakeSource } = {},
) {
  const { source = new FakeSource(), ...given } = options;
  const log = new FakeLog();
  const app = createAdminApp(source, {
    token: undefined,
    hosts: [],
    log,
    ...given,
  });
  return { app, source, log };
}

/** What `FakeSource` reports, but for sessions and revision. */
export const REPORT: ProxyReport = {
  revision: 0,
  workers: 2,
  metrics: {
    metrics: [{
      type: "gauge",
      name: "headrace_sessions_open",
      help: "Sessions that are open.",
      labels: [],
      merge: "sum",
      series: [{ labels: [], value: 3 }],
    }],
  },
  listeners: [
    { name: "web", address: "127.0.0.1:8080", state: "active", open: 3 },
  ],
  plugins: [{
    name: "hello",
    use: "./hello.ts",
    hash: "sha256-abc",
    points: ["readResponse"],
    errors: 0,
  }],
  backends: [{
    id: "a1",
    cluster: "api",
    subcluster: "east",
    url: "http://10.0.0.1:9001",
    up: true,
    state: "ready",
    check: "up",
    passive: "closed",
    breaker: "closed",
    weight: 1,
    configuredWeight: 1,
    weightNow: 1,
    load: 1,
    lastError: { message: "Cannot connect", at: 1_700_000_000_000 },
    lastCheck: {
      at: 1_700_000_000_000,
      duration: 3,
      failure: "It answered 503",
    },
    active: 1,
    idle: 2,
    ok: 10,
    failed: 1,
  }],
  sessions: [],
  sessionsOpen: 0,
};

function session(id: string): SessionReport {
  return {
    id,
    worker: 0,
    listener: "web",
    protocol: "http",
    remote: "127.0.0.1:50000",
    startedAt: 1_700_000_000_000,
    transactions: 1,
    bytesIn: 10,
    bytesOut: 20,
    state: "idle",
    backend: undefined,
  };
}
