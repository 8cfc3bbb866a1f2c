/**
 * What ends TLS on a listener's connections: the step between a connection and
 * a session's bytes.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { TlsFacts } from "../plugin.ts";
import type { CertificateSet } from "./certificate_set.ts";
import type { TlsRuntime } from "./tls_runtime.ts";

/** A connection behind its handshake. */
export interface Secured {
  /** Carries what the client means; whoever closes it closes the connection below. */
  readonly conn: ByteConn;
  readonly tls: TlsFacts;
  /** Whether the certificate that the client got is one for this host; always, where the runtime does not tell which it got. */
  covers(host: string): boolean;
}

/** What a handshake is given. */
export interface HandshakeOptions {
  /** Milliseconds that it may take. */
  readonly timeout: number;
  readonly deadlines: Deadlines;
  /** Is given what ends the handshake before its time; a connection within it is not to be closed by anybody else. */
  readonly abortable: (abort: (reason: ProxyError) => void) => void;
  /** Waits for what a connection's close leaves to be done. */
  readonly outlives: (work: Promise<void>) => void;
}

/** Ends TLS for one listener of one snapshot. */
export interface Termination extends TlsRuntime {
  readonly certificates: CertificateSet;
  /** Protocols that are offered. */
  readonly alpn: readonly string[];
  /** Whether a Host that the certificate does not cover is 421. */
  readonly verifyHost: boolean;
  /** Whether clients are asked for a certificate. */
  readonly asksClients: boolean;
  /** Does the handshake. Rejects with a ProxyError; the connection below is closed then. */
  handshake(conn: ByteConn, options: HandshakeOptions): Promise<Secured>;
}

/** Waits for `work`, at most for a handshake's time. Rejects with `tls_handshake_timeout` after that, or as it is aborted. */
export async function withinHandshakeTime<T>(
  work: Promise<T>,
  { timeout, deadlines, abortable }: HandshakeOptions,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const entry: Expiring = {
    place: NOWHERE,
    deadline: deadlines.after(timeout),
    expire: () =>
      reject(
        new ProxyError(
          "tls_handshake_timeout",
          `No TLS handshake within ${timeout} ms`,
        ),
      ),
  };
  deadlines.add(entry);
  abortable(reject);
  try {
    return await Promise.race([work, late]);
  } finally {
    deadlines.delete(entry);
    // Who loses the race ends later, with the connection: nobody listens then.
    work.catch(() => {});
  }
}
