/**
 * How the proxies are set up for a case, and where everybody listens.
 *
 * @module
 */
import { freePorts } from "../../tests/support/free_ports.ts";

/** web: HTTP and HTTPS. rules: HTTP with a log, edits of fields and rules. upload: HTTP before a reader of bodies. relay, ping: TCP. */
export type SetupName = "web" | "rules" | "upload" | "relay" | "ping";

/** A listener of a proxy: in the clear, with TLS, with TLS and two certificates. Only `web` has all of them. */
export type Port = "plain" | "tls" | "tlsSeveral";

export type Ports = Readonly<Record<Port, number>>;

/** Where a benchmark takes place. */
export interface Place {
  /** What reads and writes Headrace's connections. */
  readonly io: "standard" | "direct";
  /** Of configs, logs, the backend's files and `one.crt`, `two.crt` with their keys. */
  readonly folder: string;
  readonly ports: {
    readonly headrace: Ports;
    readonly haproxy: Ports;
    readonly nginx: Ports;
    readonly caddy: Ports;
    /** Of Headrace's admin address. */
    readonly admin: number;
    /** Of the backends: nginx, who answers pings, who reads uploads. */
    readonly files: number;
    readonly pong: number;
    readonly sink: number;
  };
}

/** What a proxy's config is made for. */
export interface Site extends Pick<Place, "io"> {
  readonly setup: SetupName;
  /** `HOST:PORT` of the backend. */
  readonly backend: string;
  readonly ports: Ports;
  readonly admin: number;
  readonly folder: string;
}

/** How a proxy is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A child of it does the work. */
  readonly forks?: true;
  /** It greets on its standard error whatever its config says. */
  readonly greets?: true;
}

/** Ports that are free now, below those that the kernel gives out itself. */
export function findPorts(): Place["ports"] {
  const free = freePorts(16);
  const next = () => free.pop()!;
  /** Only Headrace makes a difference between one certificate and two. */
  const alike = (plain: number, tls: number): Ports => ({
    plain,
    tls,
    tlsSeveral: tls,
  });
  return {
    headrace: { plain: next(), tls: next(), tlsSeveral: next() },
    haproxy: alike(next(), next()),
    nginx: alike(next(), next()),
    caddy: alike(next(), next()),
    admin: next(),
    files: next(),
    pong: next(),
    sink: next(),
  };
}

/** The backend of a setup. */
export function backendOf(setup: SetupName, { ports }: Place): string {
  const port = setup === "ping"
    ? ports.pong
    : setup === "upload"
    ? ports.sink
    : ports.files;
  return `127.0.0.1:${port}`;
}

/** Where a proxy writes its access log in the setup that has one. */
export function logOf(folder: string, proxy: string): string {
  return `${folder}/${proxy}-access.log`;
}

/** Connections that a program must hold at once: idle pairs have two each. */
export const MAX_CONNECTIONS = 16_384;

/**
 * Headrace serves so many seconds of a case before it is measured: what a proxy
 * in service costs is asked, and its code is compiled while it runs (a worker's
 * first second costs twice as much per request as its tenth).
 */
export const WARM_UP = 10;
