/**
 * One backend while the process lives: what stays over reloads, its pool and
 * its counts, and the way to a connection.
 *
 * @module
 */
import { type BackendUrl, fixedAddress } from "../config/backend_url.ts";
import type { BackendTlsConfig } from "../config/config.ts";
import type { Permit } from "../health/backend_gates.ts";
import type {
  BackendHealth,
  HealthSettings,
} from "../health/backend_health.ts";
import type { SlotLine } from "../health/slot_line.ts";
import { Http1BackendConnection } from "../http1/backend_connection.ts";
import { Socket } from "../net/socket.ts";
import type { CounterSeries, HistogramSeries } from "../observe/metrics.ts";
import type { BalanceMember, SocketAddress } from "../plugin.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { BackendTls } from "../tls/backend_tls.ts";
import { transferFailureCode } from "../tls/tls_failure.ts";
import type { BackendConnection } from "./backend_connection.ts";
import { dial, type Dialled } from "./dial.ts";
import { ConnectionPool } from "./pool.ts";
import type { Preface } from "./preface.ts";
import { tlsTo } from "./tls_to.ts";

/** What a reload may change of a backend that stays. */
export interface BackendSettings {
  /** Milliseconds to a connection, for each address. */
  readonly connectTimeout: number;
  /** Idle connections kept. */
  readonly maxIdle: number;
  /** Milliseconds that an idle connection is kept. */
  readonly idleTimeout: number;
  /** The cluster's `tls`. */
  readonly tls: BackendTlsConfig | undefined;
  readonly health: Omit<HealthSettings, "weight">;
}

/** What the config says of one backend; a reload may change it. */
export interface BackendShare {
  readonly weight: number;
  /** Requests and sessions at once, over all workers; undefined = any number. */
  readonly maxConnections: number | undefined;
  /** It serves only where no other one can. */
  readonly backup: boolean;
}

/** What a backend is. */
export interface BackendIdentity {
  readonly id: string;
  readonly cluster: string;
  readonly subcluster: string;
  readonly url: BackendUrl;
}

/** Counts of attempts by how they ended. */
export interface AttemptCounts {
  readonly ok: CounterSeries;
  readonly failed: CounterSeries;
  /** Responses that a handler wanted to retry, but that were used as they are. */
  readonly retryRefused: CounterSeries;
}

/** A new connection for bytes. */
export interface BackendSocket {
  readonly socket: Socket;
  readonly remote: SocketAddress;
  /** Whether it is worth keeping: the next one is not going to be cheaper. */
  readonly lasting: boolean;
}

/** What a backend needs besides what a config says of it. */
export interface BackendParts {
  readonly health: BackendHealth;
  /** Called when one of its bounded slots is free. */
  readonly slotFreed: (backend: Backend) => void;
}

/** A backend may send heads as large as a bulk buffer's half: others' limits protect clients, not this one. */
const RESPONSE_LIMITS = Object.freeze({
  headerBytes: 64 << 10,
  headers: 256,
  targetBytes: 0,
});

/** A backend that takes no bytes for so long is given up, in milliseconds. */
const WRITE_TIMEOUT = 60_000;

/** A generation that no pool has. */
const NEVER_KEPT = -1;

/** How often two workers step back for each other before one of them goes on regardless. */
const MAX_TRIES = 8;

/** How long an address that failed is tried last, in milliseconds. */
const SLOW_FOR = 30_000;

/** One address of a cluster. */
export class Backend implements BackendIdentity, BalanceMember {
  readonly id: string;
  readonly cluster: string;
  readonly subcluster: string;
  readonly url: BackendUrl;
  readonly pool: ConnectionPool<Http1BackendConnection>;
  readonly attempts: AttemptCounts;
  readonly responseTime: HistogramSeries;
  /** Tell it of every attempt: when one begins, its result, its end. */
  readonly health: BackendHealth;
  /** Its share now, as its cluster last looked at it. */
  weight: number;
  /** So few of its cluster are well that it serves whatever its health says. */
  panics = false;
  readonly #env: PlaneEnv;
  readonly #fixed: SocketAddress | undefined;
  readonly #slotFreed: (backend: Backend) => void;
  /** Until when an address counts as slow, by {@linkcode Deadlines.now}. */
  readonly #slow = new Map<string, number>();
  #settings: BackendSettings;
  #tls: BackendTls | undefined;
  #share: BackendShare;

  constructor(
    env: PlaneEnv,
    identity: BackendIdentity,
    settings: BackendSettings,
    share: BackendShare,
    parts: BackendParts,
  ) {
    this.id = identity.id;
    this.cluster = identity.cluster;
    this.subcluster = identity.subcluster;
    this.url = identity.url;
    this.#env = env;
    this.#settings = settings;
    this.#tls = tlsTo(identity.url, settings.tls);
    this.#share = share;
    this.weight = share.weight;
    this.health = parts.health;
    this.#slotFreed = parts.slotFreed;
    this.pool = new ConnectionPool(settings.maxIdle);
    this.#fixed = fixedAddress(identity.url);
    const labels = [this.cluster, this.id] as const;
    this.attempts = {
      ok: env.metrics.attempts.series(...labels, "ok"),
      failed: env.metrics.attempts.series(...labels, "failed"),
      retryRefused: env.metrics.attempts.series(...labels, "retry_refused"),
    };
    this.responseTime = env.metrics.backendResponse.series(...labels);
  }

  /** Takes what a reload changed; idle connections stay, as many as may, unless their TLS is another one now. */
  update(settings: BackendSettings, share: BackendShare): void {
    const tls = tlsTo(this.url, settings.tls);
    if (tls?.key !== this.#tls?.key) {
      this.#tls = tls;
      this.pool.renew();
    }
    this.#settings = settings;
    this.#share = share;
    this.health.update({ ...settings.health, weight: share.weight });
    this.pool.resize(settings.maxIdle);
  }

  /** Requests and sessions that it serves now, over all workers. */
  get load(): number {
    return this.health.load;
  }

  /** Whether it serves only where no other one can. */
  get backup(): boolean {
    return this.#share.backup;
  }

  /** Whether the number of its slots is bounded. */
  get limited(): boolean {
    return this.#share.maxConnections !== undefined;
  }

  /** Whether a slot is free. */
  get hasSlot(): boolean {
    const { maxConnections } = this.#share;
    return maxConnections === undefined || this.load < maxConnections;
  }

  /** Who waits for a slot in all workers; undefined where there is one worker only. */
  get line(): SlotLine | undefined {
    return this.health.line;
  }

  /** A slot for an attempt that is about to use it; undefined where none is free, or its health lets nobody through. */
  takeSlot(): Permit | undefined {
    const { maxConnections } = this.#share;
    for (let tries = 1; this.hasSlot; tries++) {
      const permit = this.panics
        ? this.health.beginAnyway()
        : this.health.begin();
      if (
        permit === undefined || maxConnections === undefined ||
        tries === MAX_TRIES || !this.health.isOver(maxConnections)
      ) return permit;
      // Another worker took the last one at the same moment: both step back.
      this.health.end(permit);
    }
    return undefined;
  }

  /** The attempt is over: its slot is free for the next. */
  leave(permit: Permit): void {
    this.health.end(permit);
    if (this.limited) this.#slotFreed(this);
  }

  /** Its addresses, without a promise where they are known; the array is the caller's. */
  resolve(): SocketAddress[] | Promise<SocketAddress[]> {
    if (this.#fixed !== undefined) return [this.#fixed];
    const { hostname, port } = this.url;
    const found = this.#env.resolver.resolve(hostname);
    const withPort = (addresses: readonly string[]) =>
      this.#quickFirst(addresses.map((address) => ({ address, port })));
    return found instanceof Promise ? found.then(withPort) : withPort(found);
  }

  /** Addresses that lately failed or were slow come last: each costs its delay once, not for every connection. */
  #quickFirst(addresses: SocketAddress[]): SocketAddress[] {
    if (this.#slow.size === 0) return addresses;
    const { now } = this.#env.deadlines;
    const isSlow = ({ address }: SocketAddress) =>
      (this.#slow.get(address) ?? 0) > now;
    return [
      ...addresses.filter((each) => !isSlow(each)),
      ...addresses.filter(isSlow),
    ];
  }

  readonly #noteSlow = ({ address }: SocketAddress): void => {
    const { now } = this.#env.deadlines;
    for (const [known, until] of this.#slow) {
      if (until <= now) this.#slow.delete(known);
    }
    this.#slow.set(address, now + SLOW_FOR);
  };

  /** An idle connection to one of the addresses that began with the same preface. */
  takePooled(
    addresses: readonly SocketAddress[],
    preface?: Preface,
  ): BackendConnection | undefined {
    for (;;) {
      const connection = this.pool.take(addresses, preface?.key);
      if (connection === undefined) return undefined;
      if (connection.closed) continue;
      connection.reuse();
      return connection;
    }
  }

  /** A new connection for HTTP. Rejects with a ProxyError. */
  async connect(
    addresses: readonly SocketAddress[],
    preface?: Preface,
  ): Promise<BackendConnection> {
    const { generation } = this.pool;
    const { socket, remote, lasting } = await this.connectSocket(
      addresses,
      preface,
    );
    return new Http1BackendConnection(socket, remote, {
      buffers: this.#env.buffers,
      deadlines: this.#env.deadlines,
      limits: RESPONSE_LIMITS,
      writeTimeout: WRITE_TIMEOUT,
      idleTimeout: this.#settings.idleTimeout,
      key: preface?.key,
      generation: lasting ? generation : NEVER_KEPT,
    }, this.pool);
  }

  /** A new connection for bytes, with TLS where the backend is to have it and they don't bring their own. Rejects with a ProxyError. */
  async connectSocket(
    addresses: readonly SocketAddress[],
    preface?: Preface,
    { carriesTls = false }: { readonly carriesTls?: boolean } = {},
  ): Promise<BackendSocket> {
    const { connect } = this.#env;
    const { conn, remote, lasting } = connect !== undefined
      ? await connectFirst(connect, addresses)
      : await dial(addresses, {
        timeout: this.#settings.connectTimeout,
        deadlines: this.#env.deadlines,
        preface: preface?.bytes,
        tls: carriesTls ? undefined : this.#tls,
        slow: this.#noteSlow,
      });
    const socket = new Socket(this.#env.bytesOf(conn), {
      buffers: this.#env.buffers,
      deadlines: this.#env.deadlines,
      closedCode: "backend_closed",
      failureCode: transferFailureCode,
      total: this.#env.backendBytes,
      buffer: "medium",
    });
    return { socket, remote, lasting };
  }

  /**
   * It is in no snapshot any more: idle connections close, those at work when
   * they are done. Its metrics go, unless it is `replaced`: another one of its id
   * counts on.
   */
  retire(replaced: boolean): void {
    this.pool.close();
    if (replaced) return;
    const { metrics } = this.#env;
    metrics.attempts.deleteAll(this.cluster, this.id);
    metrics.backendResponse.delete(this.cluster, this.id);
    // Sessions that are still there take theirs with them.
    const { websocketSessionsOpen: open } = metrics;
    if (open.series(this.cluster, this.id).value === 0) {
      open.delete(this.cluster, this.id);
    }
    metrics.backendUp.delete(this.cluster, this.id);
    metrics.poolConnections.delete(this.cluster, this.id, "active");
    metrics.poolConnections.delete(this.cluster, this.id, "idle");
  }
}

async function connectFirst(
  connect: NonNullable<PlaneEnv["connect"]>,
  [remote]: readonly SocketAddress[],
): Promise<Dialled> {
  return { conn: await connect(remote!), remote: remote!, lasting: true };
}
