/**
 * What a data plane tells of itself, as plain data.
 *
 * @module
 */
import { formatSocket } from "../net/socket_address.ts";
import type { ProxyMetrics } from "../observe/metric_names.ts";
import type { MetricRegistry } from "../observe/metrics.ts";
import type { PluginParts } from "../plugin.ts";
import type { Session } from "../session/session.ts";
import type {
  BackendReport,
  PlaneReport,
  PlaneSettings,
  SessionReport,
} from "./control.ts";
import type { DataPlane } from "./data_plane.ts";
import { ADMIN_POINT } from "./plugin_admin.ts";

/** What a report needs beside the plane. */
export interface ReportOptions {
  readonly settings: PlaneSettings;
  readonly registry: MetricRegistry;
  /** Sessions to list at most. */
  readonly sessions: number;
}

/** The report of a plane now. */
export function reportPlane(
  plane: DataPlane,
  options: ReportOptions,
): PlaneReport {
  const { metrics } = plane.env;
  const backends = reportBackends(plane);
  forgetLeft(metrics, new Set(backends.map(({ id }) => id)));
  for (const { cluster, id, up, active, idle } of backends) {
    metrics.backendUp.series(cluster, id).set(up ? 1 : 0);
    metrics.poolConnections.series(cluster, id, "active").set(active);
    metrics.poolConnections.series(cluster, id, "idle").set(idle);
  }
  for (const [size, pool] of plane.env.buffers.pools) {
    metrics.bufferBytes.series(size, "used").set(pool.inUse * pool.size);
    metrics.bufferBytes.series(size, "free").set(pool.free * pool.size);
  }
  const cache = plane.current.cache === undefined
    ? undefined
    : plane.caches.report();
  return {
    ...cache !== undefined && { cache },
    revision: plane.current.revision,
    metrics: options.registry.snapshot(),
    listeners: [...plane.current.listeners].flatMap((
      { name, protocol, config, tls },
    ) =>
      plane.listeners.of(config).map(({ frontend, state, open }) => ({
        name,
        ...frontend,
        protocol,
        state,
        open,
        ...(tls && { tls: { runtime: tls.runtime, reason: tls.reason } }),
      }))
    ),
    plugins: plane.plugins.list().map((instance) => {
      const points = pointsOf(instance.parts);
      return {
        name: instance.name,
        use: instance.artifact.use,
        hash: instance.artifact.hash,
        points,
        errors: points.reduce(
          (sum, point) =>
            sum + metrics.handlerErrors.series(instance.name, point).value,
          0,
        ),
      };
    }),
    backends,
    sessions: reportSessions(plane.sessions, options),
    sessionsOpen: plane.sessions.size,
  };
}

/** What wsbalancer's metrics count of backends that are gone goes once the last session has left. */
function forgetLeft(
  { activeSessions, newSession, messageSize }: ProxyMetrics,
  living: ReadonlySet<string>,
): void {
  for (const { labels, value } of activeSessions.read().series) {
    const [frontend, backend] = [labels[0]!, labels[1]!];
    if (value !== 0 || living.has(backend)) continue;
    activeSessions.delete(frontend, backend);
    newSession.delete(frontend, backend);
    messageSize.delete("f2b", frontend, backend);
    messageSize.delete("b2f", frontend, backend);
  }
}

/** Where a plugin is called: callback points, and in WebSocket sessions. */
function pointsOf(parts: PluginParts): string[] {
  const { handlers, valves, sessionListener, dialers, admin } = parts;
  return [
    ...Object.keys(handlers ?? {}),
    ...(valves === undefined
      ? []
      : ["addValves", "beforeTransmit", "afterReceive"]),
    ...Object.keys(sessionListener ?? {}),
    ...(dialers === undefined ? [] : ["dialUpstream", "start", "close"]),
    ...(admin === undefined ? [] : [ADMIN_POINT]),
  ];
}

function reportBackends(plane: DataPlane): BackendReport[] {
  const now = plane.env.clock.wall();
  return [...plane.current.clusters.values()].flatMap((cluster) =>
    cluster.members.map(({ backend }) => ({
      id: backend.id,
      cluster: backend.cluster,
      subcluster: backend.subcluster,
      url: backend.url.href,
      ...backend.health.states(now),
      lastError: backend.health.lastError,
      active: backend.pool.active,
      idle: backend.pool.idle,
      ok: backend.attempts.ok.value,
      failed: backend.attempts.failed.value,
    }))
  );
}

function reportSessions(
  sessions: Iterable<Session>,
  options: ReportOptions,
): SessionReport[] {
  const reports: SessionReport[] = [];
  for (const session of sessions) {
    if (reports.length === options.sessions) break;
    reports.push({
      id: session.id,
      worker: options.settings.worker,
      listener: session.listener,
      protocol: session.protocol,
      remote: formatSocket(session.initiator.remote),
      startedAt: session.startedAt,
      transactions: session.transactions,
      bytesIn: session.bytesIn,
      bytesOut: session.bytesOut,
      state: session.state,
      backend: session.backend,
    });
  }
  return reports;
}
