/**
 * Views of sessions, transactions, requests, responses and attempts for unit
 * tests of plugins: no sockets, every fact as the test says, field lines
 * checked as the real ones are.
 *
 * @module
 */
import {
  requestCondition,
  responseCondition,
} from "../conditions/plugin_condition.ts";
import { compilePattern } from "../conditions/plugin_pattern.ts";
import { builtinPrimitives } from "../conditions/primitives.ts";
import { ListFields } from "../message/list_fields.ts";
import { LineFiles } from "../observe/line_files.ts";
import { MetricRegistry } from "../observe/metrics.ts";
import { pluginMetrics } from "../observe/plugin_metrics.ts";
import { renderPrometheus } from "../observe/prometheus_text.ts";
import type {
  Attempt,
  HttpRequest,
  HttpResponse,
  Log,
  Plugin,
  PluginContext,
  PluginParts,
  Respond,
  ResponseParts,
  Session,
  StandardIssue,
  Transaction,
} from "../plugin.ts";
import { checkAuthorized } from "../session/request.ts";
import { verdicts } from "../verdict.ts";
import { webSocketTools } from "../ws.ts";
import { FakeClock } from "./fake_clock.ts";
import { fakeShared } from "./shared.ts";

/** Field lines by the proxy's own rules. */
export class FakeFields extends ListFields {
  constructor(lines: Readonly<Record<string, string>> = {}) {
    super(Object.entries(lines));
  }
}

/** A view's facts, some given, the others made up. */
type Facts<View> = Partial<Omit<View, "on" | "signal" | "data">>;

/** A session of listener `web` from 192.0.2.1. */
export function fakeSession(facts: Facts<Session> = {}): Session {
  return {
    id: "s1",
    listener: "web",
    protocol: "http",
    remote: { address: "192.0.2.1", port: 50_000 },
    local: { address: "192.0.2.9", port: 80 },
    internal: false,
    proxy: undefined,
    tls: undefined,
    startedAt: 1_700_000_000_000,
    backend: undefined,
    transactions: 1,
    bytesIn: 0,
    bytesOut: 0,
    error: undefined,
    data: new Map(),
    signal: new AbortController().signal,
    on() {},
    ...facts,
  };
}

/** Facts of a request, its fields as an object. */
export type RequestFacts =
  & Omit<Facts<HttpRequest>, "headers" | "transaction" | "session">
  & { readonly headers?: Readonly<Record<string, string>> };

/** A transaction's facts with its request's, `null` for none. */
export type TransactionFacts = Omit<Facts<Transaction>, "request"> & {
  readonly request?: RequestFacts | null;
};

/** `GET /` for example.com, answered 200 after 12.5 ms. */
export function fakeTransaction(facts: TransactionFacts = {}): Transaction {
  const { request: requestFacts, ...rest } = facts;
  const transaction: Transaction = {
    id: "t1",
    session: facts.session ?? fakeSession(),
    get request() {
      return request;
    },
    response: undefined,
    number: 1,
    startedAt: 1_700_000_000_000,
    attempts: [],
    error: undefined,
    status: 200,
    bytesIn: 100,
    bytesOut: 230,
    timings: {
      requestHead: 0.5,
      connected: 2,
      responseHead: 10,
      finished: 12.5,
    },
    data: new Map(),
    signal: new AbortController().signal,
    on() {},
    transformRequest() {},
    transformResponse() {},
    ...rest,
  };
  const request = requestFacts === null
    ? undefined
    : makeRequest(transaction, requestFacts ?? {});
  return transaction;
}

/** A request with a transaction of its own. */
export function fakeRequest(
  facts: RequestFacts = {},
  transaction: Omit<TransactionFacts, "request"> = {},
): HttpRequest {
  const made = fakeTransaction({ ...transaction, request: facts });
  return made.request as HttpRequest;
}

function makeRequest(
  transaction: Transaction,
  facts: RequestFacts,
): HttpRequest {
  const { headers, authorized = false, ...rest } = facts;
  const fields = new FakeFields(headers);
  // As in the proxy it stays so, whatever a handler makes of the field.
  let isAuthorized = authorized || fields.has("authorization");
  let whole = "/";
  const mark = () => {
    const found = whole.indexOf("?");
    return found < 0 ? whole.length : found;
  };
  const request: HttpRequest = {
    transaction,
    session: transaction.session,
    id: transaction.id,
    method: "GET",
    version: "1.1",
    scheme: "http",
    host: "example.com",
    port: undefined,
    get target() {
      return whole;
    },
    set target(target) {
      whole = target;
    },
    get path() {
      return whole.slice(0, mark());
    },
    set path(path) {
      whole = path + whole.slice(mark());
    },
    get query() {
      return whole.slice(mark() + 1);
    },
    set query(query) {
      whole = query === "" ? this.path : `${this.path}?${query}`;
    },
    headers: fields,
    cookie: (name) => cookieOf(request.headers.get("cookie") ?? "", name),
    parameter: (name) =>
      new URLSearchParams(whole.slice(mark() + 1)).get(name) ?? undefined,
    clientAddress: transaction.session.remote.address,
    trusted: false,
    get authorized() {
      return isAuthorized || fields.has("authorization");
    },
    set authorized(authorized) {
      checkAuthorized(authorized);
      isAuthorized = true;
    },
    product: "shop",
    cluster: "api",
    tags: new Map(),
    body: {
      present: false,
      length: 0,
      read: () => Promise.resolve(new Uint8Array()),
      json: () => undefined,
    },
    signal: transaction.signal,
  };
  return Object.assign(request, rest);
}

function cookieOf(field: string, name: string): string | undefined {
  const pair = field.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}

/** A 200 from a backend. */
export function fakeResponse(
  facts: Omit<Facts<HttpResponse>, "headers"> & {
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): HttpResponse {
  const { headers, ...rest } = facts;
  return {
    status: 200,
    reason: "OK",
    from: "backend",
    length: undefined,
    ...rest,
    headers: new FakeFields(headers),
  };
}

/** The first attempt, at backend `a1` of cluster `api`, over a new connection. */
export function fakeAttempt(facts: Facts<Attempt> = {}): Attempt {
  const remote = { address: "10.0.0.1", port: 9001 };
  return {
    number: 1,
    cluster: "api",
    subcluster: "default",
    backend: "a1",
    addresses: [remote],
    connection: { remote, reused: false },
    reconnect: false,
    status: 200,
    error: undefined,
    ...facts,
  };
}

/** A record that {@linkcode MemoryLog} kept. */
export interface MemoryRecord {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps its records. */
export class MemoryLog implements Log {
  readonly records: MemoryRecord[] = [];

  debug(message: string, fields = {}): void {
    this.records.push({ level: "debug", message, fields });
  }

  info(message: string, fields = {}): void {
    this.records.push({ level: "info", message, fields });
  }

  warn(message: string, fields = {}): void {
    this.records.push({ level: "warn", message, fields });
  }

  error(message: string, fields = {}): void {
    this.records.push({ level: "error", message, fields });
  }
}

/** A plugin that runs in a test. */
export interface RunningPlugin {
  readonly parts: PluginParts;
  readonly handlers: NonNullable<PluginParts["handlers"]>;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  /** The plugin's metrics as text. */
  metrics(): string;
  /** Ends the instance as the core does. */
  close(): Promise<void>;
}

/**
 * Checks `options` by the plugin's schema and sets it up. Throws an
 * {@linkcode OptionsError} where the schema refuses. `tools` stand in for the
 * proxy's own.
 */
export async function startPlugin<Options>(
  plugin: Plugin<Options>,
  options?: unknown,
  tools: Partial<Pick<PluginContext<Options>, "request" | "shared">> = {},
): Promise<RunningPlugin> {
  const clock = new FakeClock();
  const primitives = builtinPrimitives(clock);
  const log = new MemoryLog();
  const registry = new MetricRegistry();
  const controller = new AbortController();
  const context: PluginContext<Options> = {
    name: plugin.name,
    options: await checkOptions(plugin, options),
    verdict: verdicts,
    ws: webSocketTools,
    log,
    metrics: pluginMetrics(registry, plugin.name),
    shared: fakeShared(plugin.name, clock),
    request: () => Promise.reject(new TypeError("No proxy in this test")),
    lineFile: new LineFiles(log).open,
    condition: (text) => requestCondition(text, primitives).test,
    responseCondition: (text) => responseCondition(text, primitives).test,
    pattern: compilePattern,
    needTlsFacts() {},
    clock,
    signal: controller.signal,
    ...tools,
  };
  const parts = await plugin.setup(context);
  return {
    parts,
    handlers: parts.handlers ?? {},
    clock,
    log,
    metrics: () => renderPrometheus(registry.snapshot()),
    async close() {
      controller.abort();
      await parts.close?.();
    },
  };
}

/** Options that a plugin's schema refused. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
  readonly issues: readonly StandardIssue[];

  constructor(issues: readonly StandardIssue[]) {
    super(issues.map(issueText).join("\n"));
    this.issues = issues;
  }
}

/** `path.to.option: what is wrong`. */
function issueText(issue: StandardIssue): string {
  const path = (issue.path ?? []).map((part) =>
    String(typeof part === "object" ? part.key : part)
  );
  return `${path.join(".")}: ${issue.message}`;
}

/** The options as `setup` gets them. Throws an {@linkcode OptionsError}. */
export async function checkOptions<Options>(
  plugin: Plugin<Options>,
  options: unknown,
): Promise<Options> {
  if (plugin.options === undefined) return options as Options;
  const result = await plugin.options["~standard"].validate(options);
  if (result.issues !== undefined) throw new OptionsError(result.issues);
  return result.value;
}

/** The response in parts of a `respond`; undefined where a handler goes on. Throws for any other verdict. */
export function answerOf(
  verdict: { readonly kind: string } | undefined,
): ResponseParts | undefined {
  if (verdict === undefined || verdict.kind === "goOn") return undefined;
  if (verdict.kind !== "respond") {
    throw new TypeError(`Expected respond: found ${verdict.kind}`);
  }
  return (verdict as Respond).response as ResponseParts;
}
