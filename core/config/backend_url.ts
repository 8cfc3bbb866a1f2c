/**
 * Where a backend listens: the parsed form of `backends[].url`.
 *
 * @module
 */
import { isIP } from "node:net";
import { formatHost, isHost, parseUnixPath } from "../net/address.ts";
import { isLiteral } from "../net/resolver.ts";
import type { SocketAddress } from "../plugin.ts";
import { ValueError } from "./value_error.ts";

/** A backend's address in parts. */
export interface BackendUrl {
  /** How it speaks; `ws` and `wss` mean `http` and `https`, a unix socket is `http`. */
  readonly scheme: "http" | "https" | "tcp";
  /** A name or an IP address without brackets; empty for a unix socket. */
  readonly hostname: string;
  /** 1 to 65535; 0 for a unix socket. */
  readonly port: number;
  /** The path of a unix socket. */
  readonly path: string | undefined;
  /** The one IP address of the name that is dialled; left out = whatever the name resolves to. */
  readonly address?: string;
  /** What is put before every request's path: empty, or `/…` without a slash at the end. */
  readonly prefix: string;
  /** The whole in its normal form. */
  readonly href: string;
}

const EXPECTED =
  "Expected http://host:port, https://host:port, tcp://host:port or unix:/path";

const SCHEMES: ReadonlyMap<string, BackendUrl["scheme"]> = new Map([
  ["http", "http"],
  ["ws", "http"],
  ["https", "https"],
  ["wss", "https"],
  ["tcp", "tcp"],
]);

/** Parses a backend's URL. Throws a `ValueError` or `SyntaxError` that does not repeat it. */
export function parseBackendUrl(text: string): BackendUrl {
  if (text.startsWith("unix:")) {
    const path = parseUnixPath(text.slice(5));
    return {
      scheme: "http",
      hostname: "",
      port: 0,
      path,
      prefix: "",
      href: `unix:${path}`,
    };
  }
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#\\\s]*)([^\s\\]*)$/
    .exec(text);
  if (match === null) {
    const plain = /^[\w.-]+:\d+$/.test(text);
    throw new ValueError(EXPECTED, plain ? `http://${text}` : undefined);
  }
  const [, written = "", authority = "", rest = ""] = match;
  const scheme = SCHEMES.get(written.toLowerCase());
  if (scheme === undefined) throw new ValueError(EXPECTED);
  if (authority.includes("@")) {
    throw new ValueError("Expected a URL without user name and password");
  }
  if (rest.includes("?") || rest.includes("#")) {
    throw new ValueError("Expected a URL without query and fragment");
  }
  if (scheme === "tcp" && rest !== "") {
    throw new ValueError("Expected tcp://host:port without a path");
  }
  const { hostname, port } = parseAuthority(authority, scheme);
  const prefix = parsePrefix(rest);
  return {
    scheme,
    hostname,
    port,
    path: undefined,
    prefix,
    href: `${scheme}://${formatHost(hostname)}:${port}${prefix}`,
  };
}

/** The id of a backend that has none in the config: its address. */
export function defaultBackendId(url: BackendUrl): string {
  return url.path === undefined
    ? `${formatHost(url.hostname)}:${url.port}`
    : `unix:${url.path}`;
}

/**
 * The id of a backend that is one address of another one's name: `a@10.0.0.1`,
 * `a@[2001:db8::1]`.
 */
export function addressBackendId(id: string, address: string): string {
  return `${id}@${formatHost(address)}`;
}

/** Where it is dialled without asking for a name: undefined where there is one to be resolved. */
export function fixedAddress(url: BackendUrl): SocketAddress | undefined {
  const { path, hostname, port } = url;
  if (path !== undefined) return { address: path, port: 0 };
  const address = url.address ?? (isLiteral(hostname) ? hostname : undefined);
  return address === undefined ? undefined : { address, port };
}

/** What a request's Host field says of it. */
export function backendHost(url: BackendUrl): string {
  if (url.path !== undefined) return "localhost";
  const defaultPort = url.scheme === "https" ? 443 : 80;
  const host = formatHost(url.hostname);
  return url.port === defaultPort ? host : `${host}:${url.port}`;
}

function parseAuthority(
  authority: string,
  scheme: BackendUrl["scheme"],
): { hostname: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(authority);
  const hostname = (match?.[1] ?? match?.[2] ?? "").toLowerCase();
  const valid = match?.[1] !== undefined
    ? isIP(hostname) === 6 && !hostname.includes("%")
    : isHost(hostname);
  if (!valid) {
    throw new ValueError(
      "Expected a host name or an IP address (IPv6 in brackets) in the URL",
    );
  }
  const written = match?.[3];
  if (written === undefined) {
    if (scheme === "http") return { hostname, port: 80 };
    if (scheme === "https") return { hostname, port: 443 };
    throw new ValueError("Expected a port: tcp has no default one");
  }
  const port = /^\d{1,5}$/.test(written) ? Number(written) : NaN;
  if (!(port >= 1 && port <= 65_535)) {
    throw new ValueError("Expected a port from 1 to 65535 in the URL");
  }
  return { hostname, port };
}

/** A request's path follows it, so one slash between the two is the request's. */
function parsePrefix(path: string): string {
  // The URL parser resolves dot segments and encodes what needs it.
  return new URL(`http://prefix${path}`).pathname.replace(/\/+$/, "");
}
