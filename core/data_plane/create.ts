/**
 * Makes a data plane with its surroundings.
 *
 * @module
 */
import { DateLine } from "../http1/http_date.ts";
import { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import { Deadlines } from "../net/deadlines.ts";
import { directConn } from "../net/direct_conn.ts";
import { KnownHosts } from "../net/host_name.ts";
import { type LookUp, Resolver } from "../net/resolver.ts";
import { IdSource } from "../observe/ids.ts";
import { LineFiles, type LineFileSource } from "../observe/line_files.ts";
import type { CoreLog } from "../observe/log.ts";
import { createProxyMetrics } from "../observe/metric_names.ts";
import { MetricRegistry } from "../observe/metrics.ts";
import type { BackendEvent } from "../plugin.ts";
import type { Builtins } from "../plugins/import_plugin.ts";
import { SharedMemory, type SharedSource } from "../shared/shared_memory.ts";
import type { PlaneEnv } from "../session/env.ts";
import { KnownClients } from "../session/forwarding.ts";
import { Specimens } from "../session/specimens.ts";
import { createTurnstiles } from "../websocket/turnstile.ts";
import type { PlaneSettings } from "./control.ts";
import { DataPlane } from "./data_plane.ts";
import type { CachePeers } from "./plane_cache.ts";

/** What a data plane gets from outside. */
export interface CreateOptions {
  readonly settings: PlaneSettings;
  readonly clock: Clock;
  readonly log: CoreLog;
  readonly builtins: Builtins;
  /** Gives plugins the memory that they share with those of other planes; left out = the plane's own. */
  readonly shared?: SharedSource | undefined;
  /** Tells the supervisor of a change of a backend's state, which then tells all planes; left out = the plane tells only itself. */
  readonly onBackendEvent?: ((event: BackendEvent) => void) | undefined;
  /** Opens files that plugins append lines to; left out = the plane by itself. */
  readonly lineFiles?: LineFileSource | undefined;
  /** Tells of the other planes, whose caches are one with this one's; left out = there are none. */
  readonly cachePeers?: CachePeers | undefined;
  /** Looks up backends' names; the system. */
  readonly lookUp?: LookUp | undefined;
  /** Connects to backends instead of a dial; see {@linkcode PlaneEnv.connect}. */
  readonly connect?: PlaneEnv["connect"];
}

/** A data plane without a config yet. */
export function createDataPlane(options: CreateOptions): DataPlane {
  const { settings, clock, log, builtins, onBackendEvent, lookUp } = options;
  const { lineFiles = new LineFiles(log).open } = options;
  const deadlines = new Deadlines(clock);
  const registry = new MetricRegistry();
  const memory = new SharedMemory(settings.workers);
  return new DataPlane({
    onBackendEvent,
    cachePeers: options.cachePeers,
    settings,
    registry,
    log,
    builtins,
    shared: options.shared ??
      ((request) => Promise.resolve(memory.get(request))),
    lineFiles,
    env: {
      instance: settings.instance,
      clock,
      deadlines,
      buffers: new Buffers(),
      resolver: new Resolver(clock, lookUp),
      ids: new IdSource({ worker: settings.worker }),
      log,
      metrics: createProxyMetrics(registry),
      date: new DateLine(),
      knownClients: new KnownClients(),
      knownHosts: new KnownHosts(),
      turnstiles: createTurnstiles(clock),
      specimens: new Specimens(deadlines),
      clientBytes: { in: 0, out: 0 },
      backendBytes: { in: 0, out: 0 },
      bytesOf: settings.io === "direct" ? directConn : (conn) => conn,
      ...(options.connect !== undefined && { connect: options.connect }),
    },
  });
}
