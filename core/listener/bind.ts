/**
 * Binds a listener's addresses.
 *
 * @module
 */
import type { ListenerConfig } from "../config/config.ts";
import {
  type DenoListenOptions,
  DenoTlsListener,
} from "../tls/deno_listener.ts";
import { formatAddress, type ListenAddress } from "../net/address.ts";
import type { InheritedOptions } from "../net/inherited_options.ts";
import { TcpListener } from "./tcp_listener.ts";
import { UnixSocketListener } from "./unix_socket.ts";

/** One address to bind: a port range has several. */
export interface BindAddress {
  readonly listener: string;
  readonly address: ListenAddress;
  readonly backlog: number;
}

/** Options of a bind. */
export interface BindOptions {
  /** The port to take where the config says 0: what the first worker got. */
  readonly port: number | undefined;
  /** Another worker, a listener that this one replaces, or a process that hands over has the address. */
  readonly ours: boolean;
  /** TLS that the socket itself ends; undefined for a plain one. */
  readonly tls?: SocketTls | undefined;
}

/** TLS of a socket. */
export type SocketTls = Pick<
  DenoListenOptions,
  "pair" | "alpn" | "inherited" | "onCrowded"
>;

/** A socket that listens, whoever ends TLS on it. */
export type ListeningSocket =
  & Pick<Deno.Listener, "accept" | "addr" | "close">
  & Disposable
  & {
    /** Gives a connection that came from here the options that it has not got; absent where that can't be done. */
    setOptions?(conn: Deno.Conn, wanted: InheritedOptions): void;
    /** Whether its address still leads to it; absent where nobody else can take that. */
    leadsHere?(): boolean;
    /** Connections are to have these from now on. */
    optionsChanged?(wanted: InheritedOptions): void;
  };

/** A listener that could not be bound. */
export class BindError extends Error {
  override readonly name = "BindError";
}

/** Each address that a listener binds. */
export function bindAddresses(config: ListenerConfig): BindAddress[] {
  const { name, address, socket: { backlog } } = config;
  if (address.kind === "unix") return [{ listener: name, address, backlog }];
  const addresses: BindAddress[] = [];
  for (let port = address.port; port <= address.lastPort; port++) {
    addresses.push({
      listener: name,
      address: { ...address, port, lastPort: port },
      backlog,
    });
  }
  return addresses;
}

/** Names an address over reloads: what has the same name keeps its socket. */
export function bindKey({ listener, address, backlog }: BindAddress): string {
  const text = formatAddress(address);
  if (address.kind === "unix") return text;
  // Each listener on port 0 has a port of its own.
  return `${text} ${backlog}${address.port === 0 ? ` ${listener}` : ""}`;
}

/** Binds it. Throws a {@linkcode BindError} with the address and the reason. */
export async function bind(
  { address, backlog }: BindAddress,
  options: BindOptions,
): Promise<ListeningSocket> {
  try {
    if (address.kind === "unix") {
      const { path } = address;
      if (!options.ours) await removeStale(path);
      return await UnixSocketListener.listen(path, { replace: options.ours });
    }
    const at = {
      hostname: address.hostname,
      port: options.port ?? address.port,
    };
    // Sockets share their port, with other workers and with whoever takes over
    // from them. A second proxy would share it too: not if we must have it alone.
    if (!options.ours && at.port !== 0 && await isTaken(at)) {
      throw new Deno.errors.AddrInUse("Address already in use");
    }
    const { tls } = options;
    if (tls !== undefined) {
      return new DenoTlsListener({ ...at, backlog, ...tls });
    }
    return new TcpListener({ ...at, tcpBacklog: backlog });
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new BindError(
      `Cannot listen on ${formatAddress(address)}: ${reason}`,
      { cause: thrown },
    );
  }
}

/** How long somebody who listens at an address may take to be connected to, in milliseconds. */
const ANSWER_TIME = 1_000;

/** Where to listen. */
type At = Pick<Deno.NetAddr, "hostname" | "port">;

/**
 * Whether somebody on this machine listens at an address. It would be simpler to
 * listen there alone for a moment; but who connects within that moment is reset
 * (seen).
 */
async function isTaken(at: At): Promise<boolean> {
  if (!await isAnswered(at)) return false;
  // Another machine may have answered, whose address this one is, or is still
  // (with net.ipv4.ip_nonlocal_bind a stand-by binds it before it is its own).
  // Then no socket can be had there, or what is sent there does not come to it.
  const { hostname } = at;
  try {
    using own = Deno.listen({ hostname, port: 0 });
    return await isAnswered({ hostname, port: own.addr.port });
  } catch (thrown) {
    return !(thrown instanceof Deno.errors.AddrNotAvailable);
  }
}

/** Whether somebody, wherever that is, takes a connection to an address. */
async function isAnswered({ hostname, port }: At): Promise<boolean> {
  const waited = new AbortController();
  const timer = setTimeout(() => waited.abort(), ANSWER_TIME);
  try {
    using conn = await Deno.connect({
      hostname: reachable(hostname),
      port,
      signal: waited.signal,
    });
    // Where nobody listens a socket may be given this very port, and meet itself.
    return (conn.localAddr as Deno.NetAddr).port !== port;
  } catch {
    // Refused, or out of reach: whether one can listen there the system says next.
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** An address at which one gets to whoever listens at all of them. */
function reachable(hostname: string): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  return hostname === "::" ? "::1" : hostname;
}

/** Removes what a process that ended badly left; a socket that answers stays, and the bind fails. */
export async function removeStale(path: string): Promise<void> {
  try {
    const stat = await Deno.lstat(path);
    if (!stat.isSocket) return;
    const conn = await Deno.connect({ transport: "unix", path });
    conn.close();
  } catch (thrown) {
    if (thrown instanceof Deno.errors.ConnectionRefused) {
      await Deno.remove(path);
    } else if (!(thrown instanceof Deno.errors.NotFound)) {
      throw thrown;
    }
  }
}
