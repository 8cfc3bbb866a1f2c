/**
 * `Deno.listenTls`, with an eye on what it does not let go.
 *
 * A connection within its handshake can't be closed (2.4.2 and 2.9.6, tried):
 * `close()` ends our side, but the runtime goes on with the handshake until the
 * client leaves. Silent clients would hold descriptors for ever, so they are
 * counted, and when there are too many the listener is to be replaced.
 *
 * One certificate for all: the hidden resolver for several
 * (`Symbol.for("unstableSniResolver")`) refuses every client whose hello comes
 * in two pieces, as a browser's of 1.8 KB does (WouldBlock; tests/core/tls
 * has a test that fails when that is mended).
 *
 * @module
 */
import {
  type InheritedOptions,
  inheritOptions,
} from "../net/inherited_options.ts";
import type { PairText } from "./certificate_pair.ts";

/** Handshakes that wait at once, those given up too: more are to come where they can be closed. */
export const MAX_WAITING_HANDSHAKES = 500;

/** What a listener is made with. */
export interface DenoListenOptions {
  readonly hostname: string;
  readonly port: number;
  readonly backlog: number;
  readonly pair: PairText;
  /** Protocols that are offered, by preference; with none the client's offer is ignored. */
  readonly alpn: readonly string[];
  /** What its connections have from it, as nothing sets options of theirs. */
  readonly inherited: InheritedOptions;
  /** Called once, when more than {@linkcode MAX_WAITING_HANDSHAKES} wait. */
  readonly onCrowded: (listener: DenoTlsListener) => void;
}

/** Which listener a connection came from. */
const OWNERS = new WeakMap<object, DenoTlsListener>();

/** A listener that ends TLS itself. */
export class DenoTlsListener implements Disposable {
  /** Handshakes that wait, those given up too. */
  waiting = 0;
  readonly #listener: Deno.TlsListener;
  readonly #onCrowded: (listener: DenoTlsListener) => void;
  /** Given up, but the runtime waits for their clients still. */
  readonly #abandoned = new Set<Deno.TlsConn>();
  #crowded = false;
  #closed = false;
  #forgotten = false;

  /** Listens; the port is shared with other listeners of this process. Throws as `Deno.listenTls` and `inheritOptions` do. */
  constructor(options: DenoListenOptions) {
    const { hostname, port, backlog, pair, alpn, inherited, onCrowded } =
      options;
    this.#onCrowded = onCrowded;
    this.#listener = Deno.listenTls({
      hostname,
      port,
      cert: pair.cert,
      key: pair.key,
      reusePort: true,
      tcpBacklog: backlog,
      ...(alpn.length > 0 && { alpnProtocols: [...alpn] }),
    });
    if (!inherited.noDelay && !inherited.keepAlive) return;
    try {
      inheritOptions([[this.#listener.addr as Deno.NetAddr, inherited]]);
    } catch (thrown) {
      this.#listener.close();
      throw thrown;
    }
  }

  get addr(): Deno.Addr {
    return this.#listener.addr;
  }

  async accept(): Promise<Deno.TlsConn> {
    const conn = await this.#listener.accept();
    OWNERS.set(conn, this);
    return conn;
  }

  /** Accepts no more. Handshakes go on. */
  close(): void {
    this.#closed = true;
    this.#listener.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether nothing is left of it. */
  get over(): boolean {
    return this.#closed && this.waiting === 0;
  }

  /** The handshake of a connection that came from here; whoever waits no longer calls `abandon`. */
  async handshake(conn: Deno.TlsConn): Promise<Deno.TlsHandshakeInfo> {
    this.waiting++;
    if (this.waiting > MAX_WAITING_HANDSHAKES && !this.#crowded) {
      this.#crowded = true;
      this.#onCrowded(this);
    }
    try {
      return await conn.handshake();
    } finally {
      this.waiting--;
      if (this.#abandoned.delete(conn)) conn.close();
    }
  }

  /** Gives up a connection whose handshake waits: it is closed when the client lets go, and counted until then. */
  abandon(conn: Deno.TlsConn): void {
    if (this.#forgotten) conn.close();
    else this.#abandoned.add(conn);
  }

  /** Forgets those that are given up, now and later: nobody counts any more. */
  forget(): void {
    this.#forgotten = true;
    for (const conn of this.#abandoned) conn.close();
    this.#abandoned.clear();
  }
}

/** The listener that a connection came from; undefined for one without TLS. */
export function ownerOf(conn: object): DenoTlsListener | undefined {
  return OWNERS.get(conn);
}
