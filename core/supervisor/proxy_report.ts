/**
 * What all data planes tell, added up.
 *
 * @module
 */
import type {
  BackendReport,
  CacheDiskReport,
  CacheReport,
  ListenerReport,
  PlaneReport,
  PluginReport,
  SessionReport,
  SharedCacheReport,
} from "../data_plane/control.ts";
import type { NotedFailure } from "../health/backend_gates.ts";
import type { CheckResult } from "../health/checker.ts";
import {
  mergeSnapshots,
  type MetricSnapshot,
} from "../observe/metric_snapshot.ts";

/** A backend over all workers, and what the supervisor knows of it. */
export interface ProxyBackendReport extends BackendReport {
  /** How its last active check went; undefined where there was none. */
  readonly lastCheck: CheckResult | undefined;
}

/** What the supervisor adds to the planes' reports. */
export interface OwnReport {
  readonly metrics: readonly MetricSnapshot[];
  /** Sessions to list at most. */
  readonly sessions: number;
  /** How the last check of a backend went, by its id. */
  readonly lastCheck: (id: string) => CheckResult | undefined;
}

/** A report over all workers. */
export interface ProxyReport {
  readonly revision: number;
  readonly workers: number;
  readonly metrics: MetricSnapshot;
  readonly listeners: readonly ListenerReport[];
  readonly plugins: readonly PluginReport[];
  readonly backends: readonly ProxyBackendReport[];
  readonly sessions: readonly SessionReport[];
  readonly sessionsOpen: number;
  /** Left out where the config has no cache. */
  readonly cache?: CacheReport;
}

/** Adds up the planes' reports and the supervisor's own metrics. */
export function mergeReports(
  reports: readonly PlaneReport[],
  { metrics, sessions, lastCheck }: OwnReport,
): ProxyReport {
  return {
    revision: reports[0]?.revision ?? 0,
    workers: reports.length,
    metrics: mergeSnapshots([
      ...metrics,
      ...reports.map(({ metrics }) => metrics),
    ]),
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
        lastError: later(a.lastError, b.lastError),
      }),
    ).map((backend) => ({ ...backend, lastCheck: lastCheck(backend.id) })),
    sessions: reports.flatMap(({ sessions }) => sessions).slice(0, sessions),
    sessionsOpen: reports.reduce((sum, r) => sum + r.sessionsOpen, 0),
    ...addCaches(reports.flatMap(({ cache }) => cache ?? [])),
  };
}

function addCaches(
  caches: readonly CacheReport[],
): { readonly cache?: CacheReport } {
  if (caches.length === 0) return {};
  const cache = caches.reduce((a, b) => ({
    entries: a.entries + b.entries,
    bytes: a.bytes + b.bytes,
    capacity: a.capacity + b.capacity,
    evicted: a.evicted + b.evicted,
    fetches: a.fetches + b.fetches,
    waiting: a.waiting + b.waiting,
    fills: a.fills + b.fills,
    refreshes: a.refreshes + b.refreshes,
    ...addDisks([a.disk, b.disk]),
    ...addShared([a, b].flatMap(({ shared }) => shared ?? [])),
  }));
  return { cache };
}

function addDisks(
  all: readonly (CacheDiskReport | undefined)[],
): { readonly disk?: CacheDiskReport } {
  const disks = all.filter((disk) => disk !== undefined);
  if (disks.length === 0) return {};
  const disk = disks.reduce(sumOf);
  return { disk };
}

function addShared(
  all: readonly SharedCacheReport[],
): { readonly shared?: SharedCacheReport } {
  if (all.length === 0) return {};
  const shared = all.reduce(sumOf);
  return { shared };
}

/** Figures of the same names, added up. */
function sumOf<T extends { readonly [K in keyof T]: number }>(a: T, b: T): T {
  const sums = Object.keys(a).map((name) => [
    name,
    a[name as keyof T] + b[name as keyof T],
  ]);
  return Object.fromEntries(sums) as T;
}

function later(
  a: NotedFailure | undefined,
  b: NotedFailure | undefined,
): NotedFailure | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.at > b.at ? a : b;
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
