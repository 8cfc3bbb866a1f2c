/**
 * The JSON of wsbalancer, to the byte: scripts that were written for it go on
 * working.
 *
 * What it answered to bytes it answers here; where its own JSON or its server
 * broke, a `result` with a `reason` comes, and a status of 400 or more.
 *
 * @module
 */
import type { BackendConfig, ClusterConfig, Config } from "../config/config.ts";
import type { WebSocketReport } from "../data_plane/control.ts";
import { dashed } from "../listener/frontend.ts";
import { Buffers } from "../net/buffer_pool.ts";
import type { ProxyBackendReport } from "../supervisor/proxy_report.ts";

/** What was asked for is done. */
export const SUCCESS = '{"result":"success"}';

/** It was so before. */
export const NO_ACTION = '{"result":"success", "reason":"NoActionRequired"}';

/** Nothing of this id, or a body that can't be read. */
export const FAILED = '{"result":"failed"}';

/** The route takes POST only. */
export const ONLY_POST = '{"result":"failed", "reason":"OnlyPostAllowed"}';

/** The cluster's backends are a plugin's, which does not let them be administrated. */
export const NOT_IMPLEMENTED = '{"result":"failed", "reason":"NotImplemented"}';

/** Bytes of the buffers that backends are read and written with: one size for all of them. */
const BUFFER_SIZE = new Buffers().medium.size;

/** An answer with a text of above, or of JSON of one's own. */
export function answerText(text: string, status = 200): Response {
  return new Response(text, {
    status,
    headers: { "content-type": "application/json" },
  });
}

/** A failure that says why. */
export function answerFailed(reason: string, status = 200): Response {
  return answerText(JSON.stringify({ result: "failed", reason }), status);
}

/** A backend in `/backend/list`. */
export function listedBackend(backend: ProxyBackendReport) {
  const { url, id, load, state, passive, breaker, ok, failed } = backend;
  return {
    url: websocketUrl(url),
    id,
    activeConnections: load,
    enabled: state === "ready",
    tripped: isTripped(passive) || isTripped(breaker),
    totalConnections: ok,
    totalFailures: failed,
  };
}

/** A session in `/session/list`. */
export function listedSession(session: WebSocketReport) {
  const { id, uri, backend, reconnects, messagesReceived, messagesSent } =
    session;
  return {
    id,
    uri,
    backendId: backend,
    reconnects,
    msgsReceived: messagesReceived,
    msgsSent: messagesSent,
  };
}

/** What wsbalancer's settings of a backend are here, where all but its address are the cluster's. */
export function settingsOf({ websocket, breaker, timeouts }: ClusterConfig) {
  const { pingInterval, passHeaders, abnormalCodes } = websocket;
  return {
    "ping-time": goDuration(pingInterval),
    "read-buffer-size": BUFFER_SIZE,
    "write-buffer-size": BUFFER_SIZE,
    "breaker-threshold": breaker?.failures ?? -1,
    "handshake-timeout": goDuration(timeouts.connect + timeouts.response),
    "pass-headers": passHeaders.length === 0 ? null : passHeaders,
    "abnormal-close-codes": abnormalCodes,
  };
}

/** What `/backend/config/` tells: what `/backend/add` takes to have the same again. */
export function backendSettings(
  cluster: ClusterConfig,
  subcluster: string,
  backend: BackendConfig,
) {
  const { id, url, weight, maxConnections, backup } = backend;
  return {
    url: websocketUrl(url.href),
    id,
    ...settingsOf(cluster),
    // wsbalancer has none of these: they show only where they say something.
    ...(weight !== 1 && { weight }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(backup && { backup }),
    ...(cluster.subclusters.length > 1 && { subcluster }),
  };
}

/** The id of a backend that is added without one. */
export function defaultId(url: string): string {
  const authority = /^[^:]+:\/\/([^/]+)/.exec(url)?.[1] ?? url;
  return dashed(authority);
}

/** The cluster that `/backend/add` adds to; undefined where it can't be told. */
export function clusterToAddTo(config: Config): ClusterConfig | undefined {
  const { clusters, admin: { backendCluster } } = config;
  return backendCluster === undefined
    ? clusters.length === 1 ? clusters[0] : undefined
    : clusters.find(({ name }) => name === backendCluster);
}

/** Milliseconds as Go's `time.Duration` prints them: `10m0s`, `1.5s`, `250ms`. */
export function goDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  if (milliseconds < 1_000) return `${milliseconds}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const seconds = `${milliseconds % 60_000 / 1_000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/**
 * Milliseconds of a text such as `10m0s`, as Go's `time.ParseDuration` reads it;
 * undefined for what it refuses.
 */
export function parseGoDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/
    .exec(text);
  if (match === null) return text === "0" ? 0 : undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    sum += Number(amount) * GO_UNITS[unit!]!;
  }
  return match[1] === "-" ? -sum : sum;
}

const GO_UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** wsbalancer knows only WebSockets: `http` and `ws` mean the same here. */
function websocketUrl(url: string): string {
  return url.replace(/^http(s?):/, "ws$1:");
}

function isTripped(state: string | undefined): boolean {
  return state !== undefined && state !== "closed";
}
