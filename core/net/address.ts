/**
 * The addresses that a listener binds: their text form and back.
 *
 * @module
 */
import { isIP } from "node:net";

/** What one entry of the config binds; a port range makes a listener per port. */
export type ListenAddress = TcpListenAddress | UnixListenAddress;

/** Ports of one host. */
export interface TcpListenAddress {
  readonly kind: "tcp";
  /** A name or an IP address, without brackets. */
  readonly hostname: string;
  /** The first port; 0 lets the system choose one. */
  readonly port: number;
  /** The last port of the range, the same as `port` where there is one only. */
  readonly lastPort: number;
}

/** A socket in the file system. */
export interface UnixListenAddress {
  readonly kind: "unix";
  /** An absolute path. */
  readonly path: string;
}

/** `sun_path` of Linux holds 108 bytes with its final zero (unix(7)). */
const MAX_UNIX_PATH_BYTES = 107;

/** Each port of a range is a socket per worker: a slip must not ask for 60,000. */
const MAX_PORTS = 1_000;

/**
 * Parses `host:port`, `[IPv6]:port`, `host:first-last` or `unix:/path`. The host
 * is a name or an IP address; `0.0.0.0` and `[::]` mean every address.
 *
 * Throws a `SyntaxError` that says what was expected; it never repeats the
 * text, which may come from a secret.
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix:")) {
    return { kind: "unix", path: parseUnixPath(text.slice(5)) };
  }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  if (match === null) {
    throw new SyntaxError(
      isIP(text.replace(/:\d+$/, "")) === 6 || isIP(text) === 6
        ? "Expected an IPv6 address in brackets with a port, such as [::1]:8080"
        : "Expected host:port, [IPv6]:port, host:first-last or unix:/path",
    );
  }
  const [, bracketed, plain, ports = ""] = match;
  const hostname = bracketed ?? plain ?? "";
  if (bracketed !== undefined ? isIP(bracketed) !== 6 : !isHost(hostname)) {
    throw new SyntaxError(
      "Expected a host name or an IP address before the port (0.0.0.0 or [::] for all)",
    );
  }
  return {
    kind: "tcp",
    hostname: hostname.toLowerCase(),
    ...parsePorts(ports),
  };
}

/** Parses what follows `unix:`, a path or `///path` as in a URL. Throws a `SyntaxError`. */
export function parseUnixPath(text: string): string {
  const path = text.replace(/^\/\/(?=\/)/, "");
  // With two slashes what follows would be a host.
  if (!/^\/[^/]/.test(path) || path.endsWith("/") || path.includes("\0")) {
    throw new SyntaxError(
      "Expected unix: and an absolute path, such as unix:/run/headrace.sock",
    );
  }
  if (new TextEncoder().encode(path).length > MAX_UNIX_PATH_BYTES) {
    throw new SyntaxError(
      `Expected a socket path of at most ${MAX_UNIX_PATH_BYTES} bytes`,
    );
  }
  return path;
}

/** Whether the text is an IPv4 address or a host name (RFC 1123 §2.1, and `_`). */
export function isHost(text: string): boolean {
  // A last label in digits makes it an address or a slip, never a name: resolvers
  // read 10.1 and 0x7f.1 as addresses (URL standard, "ends in a number").
  if (/(^|\.)(\d+|0x[\da-f]*)\.?$/i.test(text)) return isIP(text) === 4;
  return text.length <= 253 &&
    /^(?!-)[\w-]{1,63}(?<!-)(\.(?!-)[\w-]{1,63}(?<!-))*$/.test(text);
}

/** The text form, as `parseListenAddress` reads it. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const ports = address.lastPort === address.port
    ? `${address.port}`
    : `${address.port}-${address.lastPort}`;
  return `${formatHost(address.hostname)}:${ports}`;
}

/** The host as it stands before a port: IPv6 in brackets. */
export function formatHost(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

/**
 * Whether both would bind the same socket. A wildcard takes the port on every
 * address: without reusePort the system refuses the second, with it the kernel
 * silently shares connections out between the two (tried on Deno 2.9.6).
 */
export function addressesOverlap(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === "unix" || b.kind === "unix") {
    return a.kind === "unix" && b.kind === "unix" && a.path === b.path;
  }
  if (a.port === 0 || b.port === 0) return false;
  if (a.port > b.lastPort || b.port > a.lastPort) return false;
  const [one, other] = [bindHost(a.hostname), bindHost(b.hostname)];
  return one === other || covers(one, other) || covers(other, one);
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: ListenAddress): boolean {
  if (address.kind === "unix") return true;
  const host = bindHost(address.hostname);
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function parsePorts(text: string): { port: number; lastPort: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[1] ?? NaN);
  const lastPort = Number(match?.[2] ?? port);
  if (!(port <= 65_535 && lastPort <= 65_535)) {
    throw new SyntaxError("Expected a port from 0 to 65535 after the host");
  }
  if (match?.[2] === undefined) return { port, lastPort };
  if (port === 0 || port > lastPort) {
    throw new SyntaxError(
      "Expected a port range from the lower to the higher port, such as 9000-9003",
    );
  }
  if (lastPort - port >= MAX_PORTS) {
    throw new SyntaxError(
      `Expected a range of at most ${MAX_PORTS} ports, each is a listener`,
    );
  }
  return { port, lastPort };
}

function bindHost(hostname: string): string {
  if (hostname === "localhost") return "127.0.0.1";
  if (isIP(hostname) !== 6) return hostname;
  const [bare, ...zone] = hostname.split("%");
  // The URL parser writes an IPv6 address in its one shortest form.
  const shortest = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  return [shortest, ...zone].join("%");
}

function covers(wildcard: string, host: string): boolean {
  // `::` is bound for both families (tried on Deno 2.9.6).
  return wildcard === "::" || (wildcard === "0.0.0.0" && isIP(host) !== 6);
}
