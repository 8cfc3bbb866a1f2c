/**
 * What all data planes tell, added up.
 *
 * @module
 */
import type {
  BackendReport,
  ListenerReport,
  PlaneReport,
  PluginReport,
  SessionReport,
} from "../data_plane/control.ts";
import {
  mergeSnapshots,
  type MetricSnapshot,
} from "../observe/metric_snapshot.ts";

/** A report over all workers. */
export interface ProxyReport {
  readonly revision: number;
  readonly workers: number;
  readonly metrics: MetricSnapshot;
  readonly listeners: readonly ListenerReport[];
  readonly plugins: readonly PluginReport[];
  readonly backends: readonly BackendReport[];
  readonly sessions: readonly SessionReport[];
  readonly sessionsOpen: number;
}

/** Adds up the planes' reports and the supervisor's own metrics. */
export function mergeReports(
  reports: readonly PlaneReport[],
  own: MetricSnapshot,
  sessions: number,
): ProxyReport {
  return {
    revision: reports[0]?.revision ?? 0,
    workers: reports.length,
    metrics: mergeSnapshots([own, ...reports.map(({ metrics }) => metrics)]),
    listeners: merge(
      reports.flatMap(({ listeners }) => listeners),
      ({ name, address }) => `${name} ${address}`,
      (a, b) => ({ ...a, open: a.open + b.open }),
    ),
    plugins: merge(
      reports.flatMap(({ plugins }) => plugins),
      ({ name, hash }) => `${name} ${hash}`,
      (a, b) => ({ ...a, errors: a.errors + b.errors }),
    ),
    backends: merge(
      reports.flatMap(({ backends }) => backends),
      ({ cluster, id }) => `${cluster} ${id}`,
      (a, b) => ({
        ...a,
        active: a.active + b.active,
        idle: a.idle + b.idle,
        ok: a.ok + b.ok,
        failed: a.failed + b.failed,
      }),
    ),
    sessions: reports.flatMap(({ sessions }) => sessions).slice(0, sessions),
    sessionsOpen: reports.reduce((sum, r) => sum + r.sessionsOpen, 0),
  };
}

/** One entry for each key, in the order of their first. */
function merge<T>(
  entries: readonly T[],
  key: (entry: T) => string,
  add: (a: T, b: T) => T,
): T[] {
  const merged = new Map<string, T>();
  for (const entry of entries) {
    const known = merged.get(key(entry));
    merged.set(key(entry), known === undefined ? entry : add(known, entry));
  }
  return [...merged.values()];
}
