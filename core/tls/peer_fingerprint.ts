/**
 * The certificate that a peer of `Deno.startTls` has shown. Deno keeps it for
 * its own `node:tls`, behind a symbol; where that is not there (2.4) or is
 * another one some day, nothing is told, and `node:tls` serves instead.
 *
 * @module
 */

/** What the hidden method gives: a certificate as `node:tls` tells it. */
interface PeerCertificate {
  /** SHA-256 of the whole certificate, in hex with colons. */
  readonly fingerprint256: string;
}

type HiddenMethod = (this: Deno.TlsConn) => PeerCertificate | undefined;

const HIDDEN = "getPeerCertificate";

/** Null where there is none, undefined until a connection was there to look at. */
let method: HiddenMethod | null | undefined;

/** The fingerprint of the peer's certificate, after the handshake; empty where this Deno does not tell. */
export function peerFingerprint(conn: Deno.TlsConn): string {
  if (method === undefined) method = findMethod(conn);
  return method?.call(conn)?.fingerprint256 ?? "";
}

/** Whether this Deno tells fingerprints, as far as that is known. */
export function tellsPeers(): boolean {
  return method !== null;
}

function findMethod(conn: Deno.TlsConn): HiddenMethod | null {
  const prototype: object = Object.getPrototypeOf(conn);
  const symbol = Object.getOwnPropertySymbols(prototype)
    .find(({ description }) => description === HIDDEN);
  const found: unknown = symbol && Reflect.get(prototype, symbol);
  return typeof found === "function" ? found as HiddenMethod : null;
}
