/**
 * Which of Deno's two TLS implementations serves a listener, and why.
 *
 * `Deno.listenTls` costs about half the CPU time of `node:tls` per request (6
 * and 13 µs of a small responder's, measured), but serves one certificate, tells
 * ALPN only and takes nothing but a bare TCP connection. Options of sockets it
 * has only where connections can inherit them.
 *
 * @module
 */
import type { ListenerConfig, SocketConfig } from "../config/config.ts";
import {
  inheritanceProblem,
  type InheritedOptions,
} from "../net/inherited_options.ts";
import { nodeTlsWorks } from "./node_tls_client.ts";

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

/** What this Deno can't do for `listenTls`, and what it could do instead. */
export interface RuntimeLimits {
  /** Why connections can't inherit options; undefined where they can. */
  readonly inheritance: string | undefined;
  /** Whether `node:tls` works. */
  readonly nodeTls: boolean;
}

/** What holds for the Deno that runs this. */
export function runtimeLimits(): RuntimeLimits {
  const inheritance = inheritanceProblem();
  return { inheritance, nodeTls: inheritance === undefined || nodeTlsWorks() };
}

/** What connections of `listenTls` inherit on a listener: what its config wants, or nothing where that can't be had. */
export function inheritedOf(
  { noDelay, keepAlive }: Pick<SocketConfig, keyof InheritedOptions>,
  { inheritance }: RuntimeLimits = runtimeLimits(),
): InheritedOptions {
  return inheritance === undefined ? { noDelay, keepAlive } : NOTHING;
}

const NOTHING: InheritedOptions = { noDelay: false, keepAlive: false };

/** The choice for a listener; undefined where it has no TLS. */
export function tlsRuntimeOf(
  config: Pick<
    ListenerConfig,
    "address" | "tls" | "proxyProtocol" | "socket"
  >,
  readers: TlsReaders,
  limits: RuntimeLimits = runtimeLimits(),
): TlsRuntime | undefined {
  const { tls, address, proxyProtocol, socket } = config;
  if (tls === undefined) return undefined;
  const lacking = limits.inheritance === undefined
    ? []
    : [socket.noDelay && "noDelay", socket.keepAlive && "keepAlive"]
      .filter((name) => name !== false);
  const lacks = `socket.${
    lacking.join(" and ")
  }, which listenTls can't have here: ${limits.inheritance}`;
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
    lacking.length > 0 && limits.nodeTls && lacks,
  ].filter((reason) => reason !== false);
  if (reasons.length > 0) {
    return { runtime: "node:tls", reason: reasons.join(", ") };
  }
  const reason = "nothing needs more than the runtime's own";
  return {
    runtime: "listenTls",
    reason: lacking.length === 0 ? reason : `${reason} but ${lacks}`,
  };
}
