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
import type { BackendConfig } from "../../../core/config/config.ts";
import { loadConfig } from "../../../core/config/load.ts";
import type { Purge } from "../../../core/cache/store.ts";
import type {
  Administered,
  CacheReport,
  ListenerReport,
  MovedSessions,
  Moves,
  PluginAnswer,
  PluginRequest,
  SessionReport,
  WebSocketListing,
  WebSocketQuery,
  WebSocketReport,
} from "../../../core/data_plane/control.ts";
import type { AdminState } from "../../../core/health/backend_row.ts";
import type { Log } from "../../../core/plugin.ts";
import type {
  BackendAddition,
  BackendName,
} from "../../../core/supervisor/backend_changes.ts";
import type { DescribedRequest } from "../../../core/explain/described_request.ts";
import type { Explanation } from "../../../core/explain/explanation.ts";
import type { TraceReport } from "../../../core/session/trace_report.ts";
import type { BackendChange } from "../../../core/supervisor/backends.ts";
import type { ProxyReport } from "../../../core/supervisor/proxy_report.ts";

/** The config of `text` as JSON. */
export async function configOf(text: object) {
  const { config, problems } = await loadConfig({
    path: "test.yaml",
    text: JSON.stringify(text),
    env: () => undefined,
  });
  if (config === undefined) throw new TypeError(JSON.stringify(problems));
  return config;
}

const CONFIG = await configOf({
  listeners: [{ name: "web", address: "127.0.0.1:8080" }],
  clusters: [{
    name: "api",
    subclusters: [{
      name: "east",
      backends: [{ id: "a1", url: "http://10.0.0.1:9001" }],
    }],
  }],
});

/** Answers from its fields and notes what it was asked. */
export class FakeSource implements AdminSource {
  state: AdminSource["state"] = "ready";
  lastRefusal: readonly string[] | undefined;
  sessions = 3;
  /** What `report` was asked for. */
  readonly limits: number[] = [];
  /** What `explain` was asked for. */
  readonly explained: DescribedRequest[] = [];
  /** What `explain` rejects with. */
  explainFailure: Error | undefined;
  /** What `changeBackend` was asked for. */
  readonly changes: [id: string, change: BackendChange][] = [];
  config = CONFIG;
  /** What `report` tells of the cache. */
  cache: CacheReport | undefined = CACHE;
  /** What `purgeCache` was asked for. */
  readonly purges: Purge[] = [];
  /** What `listWebSockets` was asked for. */
  readonly queries: WebSocketQuery[] = [];
  /** What `askPlugin` was asked for. */
  readonly pluginRequests: PluginRequest[] = [];
  /** What `askPlugin` answers, or rejects with. */
  pluginAnswer: PluginAnswer | Error = {
    kind: "response",
    status: 200,
    headers: [],
    body: new TextEncoder().encode("hello"),
  };
  /** What `addBackend` was asked for. */
  readonly additions: BackendAddition[] = [];
  /** What `addBackend` and `deleteBackend` reject with. */
  planesFailure: Error | undefined;
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
      ...this.cache !== undefined && { cache: this.cache },
    });
  }

  backendState(id: string): AdminState | undefined {
    return id === "a1" ? "ready" : undefined;
  }

  addBackend(addition: BackendAddition): Promise<BackendConfig> {
    this.additions.push(addition);
    return this.planesFailure === undefined
      ? Promise.resolve(CONFIG.clusters[0]!.subclusters[0]!.backends[0]!)
      : Promise.reject(this.planesFailure);
  }

  deleteBackend({ id, cluster = "api" }: BackendName): Promise<boolean> {
    return this.planesFailure === undefined
      ? Promise.resolve(id === "a1" && cluster === "api")
      : Promise.reject(this.planesFailure);
  }

  listWebSockets(query: WebSocketQuery): Promise<WebSocketListing> {
    this.queries.push(query);
    return Promise.resolve({ open: 7, sessions: [WEBSOCKET] });
  }

  purgeCache(purge: Purge): Promise<number | undefined> {
    this.purges.push(purge);
    if (this.planesFailure !== undefined) {
      return Promise.reject(this.planesFailure);
    }
    return Promise.resolve(this.cache === undefined ? undefined : 3);
  }

  abortWebSocket(id: string): Promise<boolean> {
    return Promise.resolve(id === "w1");
  }

  /** `w1` and those of `a1` move, `w2` stays. */
  moveWebSockets(which: MovedSessions): Promise<Moves> {
    if ("backend" in which) {
      return Promise.resolve(
        which.backend === "a1"
          ? { sessions: 3, moving: 2 }
          : { sessions: 0, moving: 0 },
      );
    }
    const sessions = ["w1", "w2"].includes(which.id) ? 1 : 0;
    return Promise.resolve({ sessions, moving: which.id === "w1" ? 1 : 0 });
  }

  administer(): Promise<Administered | undefined> {
    return Promise.resolve({ result: 1, json: "[]" });
  }

  askPlugin(request: PluginRequest): Promise<PluginAnswer> {
    this.pluginRequests.push(request);
    const { pluginAnswer: answer } = this;
    return answer instanceof Error
      ? Promise.reject(answer)
      : Promise.resolve(answer);
  }

  pause(
    which: (listener: ListenerReport) => boolean,
    paused: boolean,
  ): Promise<boolean | undefined> {
    // It was not paused before.
    return Promise.resolve(
      REPORT.listeners.some(which) ? paused : undefined,
    );
  }

  explain(request: DescribedRequest): Promise<Explanation> {
    this.explained.push(request);
    return this.explainFailure === undefined
      ? Promise.resolve(EXPLANATION)
      : Promise.reject(this.explainFailure);
  }

  trace(id: string): Promise<TraceReport | undefined> {
    return Promise.resolve(id === TRACE.id ? TRACE : undefined);
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
    {
      name: "web",
      id: "127-0-0-1-8080",
      address: "127.0.0.1:8080",
      protocol: "http",
      state: "active",
      paused: false,
      open: 3,
    },
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

/** What `FakeSource` tells of the cache. */
export const CACHE: CacheReport = {
  entries: 1,
  bytes: 2,
  capacity: 3,
  evicted: 4,
  fetches: 5,
  waiting: 6,
  fills: 7,
  refreshes: 8,
};

/** What `FakeSource` lists of WebSocket sessions. */
export const WEBSOCKET: WebSocketReport = {
  id: "w1",
  worker: 1,
  listener: "web",
  cluster: "api",
  backend: "a1",
  remote: "127.0.0.1:50001",
  uri: '/chat?"q"=%20',
  state: "open",
  startedAt: 1_700_000_000_000,
  age: 5_000,
  backendAge: 2_000,
  buffered: 1_024,
  reconnects: 1,
  messagesReceived: 10,
  messagesSent: 20,
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

/** What `FakeSource` explains. */
export const EXPLANATION: Explanation = {
  request: undefined,
  listener: {
    name: "web",
    protocol: "http",
    addresses: ["127.0.0.1:8080"],
    tls: undefined,
    why: "it was asked for by name",
  },
  product: undefined,
  rules: [],
  cluster: undefined,
  outcome: {
    kind: "refuse",
    status: 404,
    code: "no_product",
    why: "No product serves the host",
  },
  points: [],
  notes: [],
};

/** The only trace that `FakeSource` has. */
export const TRACE: TraceReport = {
  id: "a1",
  session: "a0",
  startedAt: 1_700_000_000_000,
  state: "closed",
  method: "GET",
  scheme: "http",
  host: "example.com",
  target: "/",
  client: "192.0.2.1",
  listener: "web",
  product: undefined,
  rule: undefined,
  cluster: undefined,
  steps: [{ at: 0.1, state: "head" }],
  stepsLost: undefined,
  attempts: [],
  status: 404,
  error: { code: "no_product", message: "No product serves the host" },
  bytesIn: 40,
  bytesOut: 200,
  timings: {
    requestHead: 0.1,
    connected: undefined,
    responseHead: undefined,
    finished: 0.4,
  },
};
