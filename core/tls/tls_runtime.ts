/**
 * Which of Deno's two TLS implementations serves a listener, and why.
 *
 * `Deno.listenTls` costs about half the CPU time of `node:tls` per request (6
 * and 13 µs of a small responder's, measured), but serves one certificate, tells
 * ALPN only and takes nothing but a bare TCP connection.
 *
 * @module
 */
import type { ListenerConfig } from "../config/config.ts";

/** A choice with its reason. */
export interface TlsRuntime {
  readonly runtime: "listenTls" | "node:tls";
  /** In words, for people. */
  readonly reason: string;
}

/** Who reads on a listener what only `node:tls` tells. */
export interface TlsReaders {
  /** Names of plugins with a handler at `handshake`. */
  readonly plugins: readonly string[];
  /** Names of the primitives on TLS facts in the rules that it serves. */
  readonly primitives: readonly string[];
}

/** The choice for a listener; undefined where it has no TLS. */
export function tlsRuntimeOf(
  config: Pick<ListenerConfig, "address" | "tls" | "proxyProtocol">,
  readers: TlsReaders,
): TlsRuntime | undefined {
  const { tls, address, proxyProtocol } = config;
  if (tls === undefined) return undefined;
  const [plugin] = readers.plugins;
  const [primitive] = readers.primitives;
  const reasons = [
    tls.certificates.length > 1 && "several certificates",
    tls.strictSni && "strictSni",
    tls.clientAuth !== undefined && "clientAuth",
    tls.verifyHost && "verifyHost",
    proxyProtocol !== "none" && "a PROXY header before TLS",
    address.kind === "unix" && "a unix socket",
    plugin !== undefined && `the plugin "${plugin}" handles handshake`,
    primitive !== undefined && `a rule uses ${primitive}`,
  ].filter((reason) => reason !== false);
  return reasons.length === 0
    ? {
      runtime: "listenTls",
      reason: "nothing needs more than the runtime's own",
    }
    : { runtime: "node:tls", reason: reasons.join(", ") };
}
