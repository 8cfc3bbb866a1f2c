/**
 * Drives a proxy with wrk and reads what CPU time that cost it.
 *
 * @module
 */
import { cpuSeconds } from "../process_stat.ts";
import type { Program } from "./programs.ts";

/** What is asked of the proxies. */
export interface Case {
  readonly name: string;
  readonly path: string;
  readonly headers: readonly string[];
  /** Over TLS, with one certificate or several to choose from; left out = in the clear. */
  readonly tls?: "one" | "several";
}

/** One measurement. */
export interface Sample {
  /** CPU time of the proxy per request. */
  readonly microseconds: number;
  readonly perSecond: number;
  /** Socket errors and answers other than 2xx or 3xx. */
  readonly errors: number;
}

/** About what a browser sends. */
const BROWSER = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.9,de;q=0.8",
  "Accept-Encoding: gzip, deflate, br",
  "Cookie: session=0123456789abcdefghijklmnopqrstuvwxyz; theme=dark; lang=en; seen=1718000000",
  "Cache-Control: max-age=0",
  "Sec-Fetch-Site: none",
];

/** Every case. */
export const CASES: readonly Case[] = [
  { name: "130 B response, short head", path: "/small", headers: [] },
  { name: "130 B response, browser head", path: "/small", headers: BROWSER },
  { name: "16 KB response, short head", path: "/16k", headers: [] },
  { name: "TLS, kept alive", path: "/small", headers: [], tls: "one" },
  {
    name: "TLS, kept alive, two certificates",
    path: "/small",
    headers: [],
    tls: "several",
  },
  {
    name: "TLS, a handshake per request",
    path: "/small",
    // nginx gives out no tickets and wrk resumes nobody else's sessions: each
    // connection is a full handshake.
    headers: ["Connection: close"],
    tls: "one",
  },
];

/** Drives one program for so many seconds over 64 connections. */
export async function measure(
  program: Program,
  each: Case,
  seconds: number,
): Promise<Sample> {
  const { ports } = program;
  const url = each.tls === undefined
    ? `http://127.0.0.1:${ports.plain}`
    : `https://127.0.0.1:${each.tls === "one" ? ports.tls : ports.tlsSeveral}`;
  const before = await cpuSeconds(program.pid);
  const { stdout } = await new Deno.Command("wrk", {
    args: [
      "-t1",
      "-c64",
      `-d${seconds}s`,
      ...each.headers.flatMap((header) => ["-H", header]),
      `${url}${each.path}`,
    ],
  }).output();
  const cpu = await cpuSeconds(program.pid) - before;
  const text = new TextDecoder().decode(stdout);
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  return {
    microseconds: cpu / requests * 1e6,
    perSecond: requests / seconds,
    errors: countErrors(text),
  };
}

function countErrors(text: string): number {
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const socket = /Socket errors: (.*)/.exec(text)?.[1] ?? "";
  return (socket.match(/\d+/g) ?? []).reduce((sum, n) => sum + Number(n), bad);
}
