/**
 * TLS towards a backend: who is asked for, whom it trusts, what it shows.
 *
 * @module
 */
import type { ByteConn } from "../net/byte_conn.ts";
import {
  type ClientIdentity,
  NodeTlsClient,
  nodeTlsWorks,
} from "./node_tls_client.ts";
import { peerFingerprint, tellsPeers } from "./peer_fingerprint.ts";
import type { TlsConn } from "./tls_conn.ts";

/** How a backend's TLS is set up. */
export interface BackendTlsSettings {
  /** The name or IP address that is asked for and verified. */
  readonly name: string;
  /** Protocols to offer, the best first; none offers nothing. */
  readonly alpn: readonly string[];
  /** Authorities, PEM: these and no others; undefined = the well-known ones. */
  readonly ca: string | undefined;
  /** What is shown to a backend that asks for a certificate. */
  readonly identity: ClientIdentity | undefined;
}

/** Sees to it that connections in the making are closed when their time is over. */
export interface ConnectionGuard {
  /** It is this one now, in place of the one that it was made of. */
  watch(conn: ByteConn): void;
  /** Closes it. */
  drop(): void;
}

/** A connection with TLS on it. */
export interface Secured {
  readonly conn: TlsConn;
  /** Whether it is worth keeping: the next one is not going to be cheaper. */
  readonly lasting: boolean;
}

/** Certificates of one backend that are remembered: addresses behind a name may have one each. */
const MAX_VOUCHED = 64;

/**
 * Whether authorities that are given are trusted alone. Without `node:tls`, that
 * is on Deno 2.4, they only come to the well-known ones.
 */
export function caStandsAlone(): boolean {
  return nodeTlsWorks();
}

/** TLS towards one backend. */
export class BackendTls {
  /** The same for the same settings. */
  readonly key: string;
  readonly #settings: BackendTlsSettings;
  /** Fingerprints of certificates that `node:tls` has verified by `ca` alone. */
  readonly #vouched = new Set<string>();

  constructor(settings: BackendTlsSettings) {
    this.key = JSON.stringify(settings);
    this.#settings = settings;
  }

  /**
   * Starts TLS on a new connection that the guard watches and waits for the
   * handshake; it may ask for another connection in its place. Rejects with what
   * `handshakeFailureCode` has a name for; what is left open is the guard's to
   * close.
   */
  async secure(
    conn: Deno.Conn,
    reopen: () => Promise<Deno.Conn>,
    guard: ConnectionGuard,
  ): Promise<Secured> {
    if (!isTcp(conn) || this.#needsNode()) {
      return await this.#byNode(conn, guard);
    }
    const { name, alpn, ca } = this.#settings;
    const secured = await Deno.startTls(conn, {
      hostname: name,
      alpnProtocols: [...alpn],
      caCerts: ca === undefined ? [] : [ca],
    });
    guard.watch(secured);
    await secured.handshake();
    // startTls adds to the well-known authorities: only a certificate that the
    // given ones alone vouch for will do.
    const trusted = ca === undefined || !caStandsAlone() ||
      this.#vouched.has(peerFingerprint(secured));
    if (trusted) return { conn: secured, lasting: true };
    guard.drop();
    return await this.#byNode(await reopen(), guard);
  }

  /** Whether `Deno.startTls`, which costs less, won't do for the next connection. */
  #needsNode(): boolean {
    return this.#alwaysNode ||
      this.#settings.ca !== undefined && caStandsAlone() &&
        this.#vouched.size === 0;
  }

  /** Whether it won't do for any. */
  get #alwaysNode(): boolean {
    const { ca, identity } = this.#settings;
    return identity !== undefined ||
      ca !== undefined && caStandsAlone() && !tellsPeers();
  }

  async #byNode(conn: Deno.Conn, guard: ConnectionGuard): Promise<Secured> {
    const secured = new NodeTlsClient(conn, this.#settings);
    guard.watch(secured);
    await secured.handshake();
    const lasting = this.#alwaysNode || !isTcp(conn);
    if (!lasting) {
      if (this.#vouched.size === MAX_VOUCHED) this.#vouched.clear();
      this.#vouched.add(secured.peerFingerprint);
    }
    return { conn: secured, lasting };
  }
}

function isTcp(conn: Deno.Conn): conn is Deno.TcpConn {
  return conn.remoteAddr.transport === "tcp";
}
