/**
 * The immutable result of one loaded config. A transaction sees one snapshot
 * from start to end; a reload swaps which one new transactions see.
 *
 * @module
 */
import type { Cluster } from "../balance/cluster.ts";
import type { ListenerConfig } from "../config/config.ts";
import type {
  ClientTimeouts,
  RequestLimits,
} from "../http1/client_connection.ts";
import type { AdminApp } from "../plugin.ts";
import type { HostTable } from "../route/host_table.ts";
import type { ProductIndex } from "../route/product_index.ts";
import type { CacheRuntime } from "../session/caching.ts";
import type { TrustPolicy } from "../session/client_address.ts";
import type { HandlerObserver } from "../session/handler_runs.ts";
import type { HandlerTable } from "../session/handlers.ts";
import type {
  BoundDialer,
  WebSocketParts,
} from "../session/websocket_parts.ts";
import type { Termination } from "../tls/termination.ts";

/** A listener as sessions see it. */
export interface ListenerRuntime {
  readonly name: string;
  readonly protocol: "http" | "tcp";
  readonly config: ListenerConfig;
  /** What ends TLS on its connections; undefined where bytes come as they are. */
  readonly tls: Termination | undefined;
  readonly limits: RequestLimits;
  readonly timeouts: ClientTimeouts & {
    readonly handshake: number;
    readonly tunnel: number;
  };
  readonly trust: TrustPolicy;
  /** Where a tcp listener's bytes go, with `sni` those of other names. */
  readonly cluster: string | undefined;
  /** Names of clusters by the server name that a TLS client asks for. */
  readonly sni: HostTable<string> | undefined;
  readonly products: ProductIndex;
  /** Handlers before a product is known. */
  readonly handlers: HandlerTable;
  /** Handlers once the product is known. */
  handlersOf(product: string): HandlerTable;
  /** Who hears of handlers' runs before a product is known; undefined for nobody. */
  readonly observers: readonly HandlerObserver[] | undefined;
  /** Who hears of them once the product is known. */
  observersOf(product: string): readonly HandlerObserver[] | undefined;
  /** What plugins bring for WebSocket sessions of a product. */
  websocketOf(product: string): WebSocketParts;
  /** The snapshot that it belongs to. */
  readonly snapshot: Snapshot;
}

/** What a plugin shows to operators. */
export interface BoundAdmin {
  /** The plugin instance's name. */
  readonly plugin: string;
  /** Milliseconds that an answer may take: the plugin's `timeout`. */
  readonly timeout: number;
  readonly app: AdminApp;
}

/** What a snapshot holds. */
export interface SnapshotParts {
  readonly revision: number;
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** Dialers by the names of the clusters that have one. */
  readonly dialers: ReadonlyMap<string, BoundDialer>;
  /** What plugins show to operators, by the plugins' names. */
  readonly admins: ReadonlyMap<string, BoundAdmin>;
  /** Left out = there is none. */
  readonly cache?: CacheRuntime | undefined;
  /** Called once when nobody holds the snapshot any more. */
  readonly onUnused: () => void;
}

/** One loaded config; counts who holds it. */
export class Snapshot {
  /** The number of the reload that brought it. */
  readonly revision: number;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly #dialers: ReadonlyMap<string, BoundDialer>;
  readonly #admins: ReadonlyMap<string, BoundAdmin>;
  /** Undefined where there is none. */
  readonly cache: CacheRuntime | undefined;
  readonly #listeners = new Map<string, ListenerRuntime>();
  readonly #onUnused: () => void;
  #holders = 1;

  constructor(parts: SnapshotParts) {
    this.revision = parts.revision;
    this.clusters = parts.clusters;
    this.#dialers = parts.dialers;
    this.#admins = parts.admins;
    this.cache = parts.cache;
    this.#onUnused = parts.onUnused;
  }

  /** Adds a listener while the snapshot is built. */
  addListener(listener: ListenerRuntime): void {
    this.#listeners.set(listener.name, listener);
  }

  /** Its listeners. */
  get listeners(): Iterable<ListenerRuntime> {
    return this.#listeners.values();
  }

  /** The listener of this name. */
  listener(name: string): ListenerRuntime | undefined {
    return this.#listeners.get(name);
  }

  /** The cluster of this name. */
  cluster(name: string): Cluster | undefined {
    return this.clusters.get(name);
  }

  /** The dialer of the cluster of this name, where it has one. */
  dialer(cluster: string): BoundDialer | undefined {
    return this.#dialers.get(cluster);
  }

  /** What the plugin of this name shows to operators. */
  admin(plugin: string): BoundAdmin | undefined {
    return this.#admins.get(plugin);
  }

  /** Holds it: what it holds lives on. */
  retain(): this {
    this.#holders++;
    return this;
  }

  /** Holds it no longer; the last one ends it. */
  release(): void {
    if (--this.#holders === 0) this.#onUnused();
  }
}
