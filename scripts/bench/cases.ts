/**
 * What is asked of the proxies, and what is hoped for.
 *
 * @module
 */
import type { Port, SetupName } from "./setup.ts";

/** Which proxies there are, Headrace first. */
export const PROXIES = ["headrace", "haproxy", "nginx", "caddy"] as const;
export type ProxyName = typeof PROXIES[number];

/** The most that Headrace may cost: by another's cost, or in the case's own unit. */
export interface Goals {
  readonly haproxy?: number;
  readonly caddy?: number;
  /** Kilobytes of 1,000 bytes. */
  readonly absolute?: number;
}

interface AnyCase {
  readonly name: string;
  readonly setup: SetupName;
  readonly goals: Goals;
}

/** As many requests as go through. */
export interface LoadCase extends AnyCase {
  readonly kind: "load";
  readonly port: Port;
  /** What each request is, byte by byte. */
  readonly request: string;
  readonly connections: number;
  /** The answer's status is 200 and its body so long. */
  readonly body: number;
  /** Bytes of the request's body; left out = none. */
  readonly upload?: number;
  /** What its CPU time is divided by: requests, in microseconds, or gigabytes, in seconds. */
  readonly per: "request" | "GB";
  /** A connection for each request, by a client that resumes no TLS session; left out = wrk. */
  readonly handshakes?: true;
  /** A line of the proxy's log is expected for each request. */
  readonly logged?: true;
}

/** Connections that have made a request and rest. */
export interface IdleCase extends AnyCase {
  readonly kind: "idle";
  readonly request: string;
  readonly body: number;
}

/** Requests at times that are fixed beforehand, at half of HAProxy's peak rate. */
export interface PacedCase extends AnyCase {
  readonly kind: "paced";
  readonly request: string;
  readonly body: number;
}

export type Case = LoadCase | IdleCase | PacedCase;

/** A request head and nothing more, without a line about the connection unless given. */
function get(path: string, ...lines: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, "Host: bench.test", ...lines, "", ""]
    .join("\r\n");
}

/** About what a browser sends: 575 bytes. */
const BROWSER = get(
  "/small",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.9,de;q=0.8",
  "Accept-Encoding: gzip, deflate, br",
  "Cookie: session=0123456789abcdefghijklmnopqrstuvwxyz; theme=dark; lang=en; seen=1718000000;x=1",
  "Upgrade-Insecure-Requests: 1",
  "Cache-Control: max-age=0",
  "Sec-Fetch-Site: none",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-User: ?1",
  "Sec-Fetch-Dest: document",
);

const MB = 1_000_000;

/** 1 MB in chunks of 16 KB. */
function chunkedUpload(): string {
  const head = [
    "POST /upload HTTP/1.1",
    "Host: bench.test",
    "Transfer-Encoding: chunked",
    "",
    "",
  ].join("\r\n");
  const chunks: string[] = [];
  for (let rest = MB; rest > 0;) {
    const size = Math.min(rest, 16_000);
    chunks.push(`${size.toString(16)}\r\n${"u".repeat(size)}\r\n`);
    rest -= size;
  }
  return `${head}${chunks.join("")}0\r\n\r\n`;
}

/** 64 bytes in all. */
const PING = get("/", `X: ${"p".repeat(23)}`);

/** What the backend of pings answers, 64 bytes in all. */
export const PONG = `HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n${
  "p".repeat(24)
}\n`;

const SMALL = 130;
const LARGE = 100 * MB;

/** The backend's files: names and lengths in bytes. */
export const FILES: Readonly<Record<string, number>> = {
  small: SMALL,
  "16k": 16 << 10,
  "1m": MB,
  "100m": LARGE,
};

const LOAD = { kind: "load", setup: "web", port: "plain" } as const;
const SHORT = { request: get("/small"), body: SMALL } as const;

/** Every case; those of one setup one after another. */
export const CASES: readonly Case[] = [
  {
    ...LOAD,
    ...SHORT,
    name: "130 B response, short head",
    connections: 64,
    per: "request",
    goals: { haproxy: 1.2, caddy: 0.18 },
  },
  {
    ...LOAD,
    name: "130 B response, browser head of 575 B",
    request: BROWSER,
    connections: 64,
    body: SMALL,
    per: "request",
    goals: { haproxy: 1.15, caddy: 0.16 },
  },
  {
    ...LOAD,
    name: "16 KB body",
    request: get("/16k"),
    connections: 64,
    body: 16 << 10,
    per: "request",
    goals: { haproxy: 1.05, caddy: 0.22 },
  },
  {
    ...LOAD,
    name: "1 MB body",
    request: get("/1m"),
    connections: 8,
    body: MB,
    per: "GB",
    goals: { haproxy: 0.85, caddy: 0.75 },
  },
  {
    ...LOAD,
    name: "100 MB body",
    request: get("/100m"),
    connections: 2,
    body: LARGE,
    per: "GB",
    goals: { haproxy: 0.85, caddy: 0.75 },
  },
  {
    ...LOAD,
    name: "a client connection per request",
    request: get("/small", "Connection: close"),
    connections: 64,
    body: SMALL,
    per: "request",
    goals: { haproxy: 1.5, caddy: 0.33 },
  },
  {
    ...LOAD,
    ...SHORT,
    name: "TLS, kept alive",
    port: "tls",
    connections: 64,
    per: "request",
    goals: { haproxy: 1.1 },
  },
  {
    ...LOAD,
    ...SHORT,
    name: "TLS, kept alive, two certificates",
    port: "tlsSeveral",
    connections: 64,
    per: "request",
    goals: { haproxy: 1.1 },
  },
  {
    ...LOAD,
    name: "TLS, a full handshake per request",
    request: get("/small", "Connection: close"),
    port: "tls",
    handshakes: true,
    connections: 32,
    body: SMALL,
    per: "request",
    goals: { haproxy: 0.7 },
  },
  {
    ...SHORT,
    kind: "paced",
    setup: "web",
    name: "p99 latency, half of HAProxy's peak rate",
    goals: { haproxy: 1.3, caddy: 0.6 },
  },
  {
    ...LOAD,
    name: "browser head, log, field edits, 3 rules",
    setup: "rules",
    request: BROWSER,
    connections: 64,
    body: SMALL,
    per: "request",
    logged: true,
    goals: { haproxy: 1.35 },
  },
  {
    ...LOAD,
    name: "chunked uploads of 1 MB",
    setup: "upload",
    request: chunkedUpload(),
    upload: MB,
    connections: 8,
    body: String(MB).length + 1,
    per: "GB",
    goals: { haproxy: 1.1 },
  },
  {
    ...LOAD,
    name: "TCP relay, 64 B ping-pong",
    setup: "ping",
    request: PING,
    connections: 64,
    body: 25,
    per: "request",
    goals: { haproxy: 1.6 },
  },
  {
    ...LOAD,
    name: "TCP relay, bulk of 100 MB",
    setup: "relay",
    request: get("/100m"),
    connections: 2,
    body: LARGE,
    per: "GB",
    goals: { haproxy: 0.85 },
  },
  {
    ...SHORT,
    kind: "idle",
    setup: "web",
    name: "memory per idle keep-alive client",
    goals: { absolute: 10 },
  },
  {
    ...SHORT,
    kind: "idle",
    setup: "relay",
    name: "memory per idle TCP pair",
    goals: { absolute: 18 },
  },
];

/** What costs of a case are counted in. */
export function unitOf(each: Case): string {
  switch (each.kind) {
    case "load":
      return each.per === "request" ? "µs" : "s/GB";
    case "idle":
      return "KB";
    case "paced":
      return "ms p99";
  }
}

/** What rates of a case are counted in, behind the figure. */
export function rateUnitOf(each: Case): string {
  return each.kind === "load" && each.per === "GB" ? " MB/s" : "/s";
}
