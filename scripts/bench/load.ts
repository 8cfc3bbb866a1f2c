/**
 * Drives a proxy as fast as it goes and reads what CPU time that cost it.
 *
 * @module
 */
import { cpuSeconds } from "../process_stat.ts";
import type { LoadCase } from "./cases.ts";
import { generate } from "./generator.ts";
import type { HandshakesTask } from "./handshakes_main.ts";
import { probe } from "./probe.ts";
import type { Proxy } from "./programs.ts";
import type { Sample } from "./sample.ts";
import { drive, type Driven } from "./wrk.ts";

/** How long a log may be late, in milliseconds: nginx's is told to wait a second. */
const LOG_DELAY = 1_200;

/** How a measurement is made. */
interface LoadOptions {
  readonly folder: string;
  readonly seconds: number;
}

/** One measurement over so many seconds. */
export async function measureLoad(
  proxy: Proxy,
  each: LoadCase,
  options: LoadOptions,
): Promise<Sample> {
  const port = proxy.ports[each.port];
  const ca = await Deno.readTextFile(`${options.folder}/ca.crt`);
  const { request, body, connections } = each;
  const tls = each.port === "plain" ? {} : { ca };
  const { length } = await probe({ port, request, body, ...tls });
  const logged = each.logged ? await countLines(proxy.log!) : 0;
  const before = await cpuSeconds(proxy.pid);
  const { seconds } = options;
  const driven = each.handshakes
    ? await generate<HandshakesTask, Driven>("handshakes_main.ts", {
      port,
      ca,
      request,
      length,
      connections,
      seconds,
    })
    : await driveWith(each, port, options);
  const cpu = await cpuSeconds(proxy.pid) - before;
  const { requests } = driven;
  const bytes = each.upload === undefined
    ? driven.bytes
    : requests * each.upload;
  const perRequest = each.per === "request";
  const cost = perRequest ? cpu / requests * 1e6 : cpu / bytes * 1e9;
  return {
    cost: Number.isFinite(cost) ? cost : NaN,
    rate: (perRequest ? requests : bytes / 1e6) / driven.seconds,
    problems: [
      ...(cpu > 0 ? [] : ["no CPU time: somebody else answered"]),
      ...problemsOf(driven, length, connections),
      ...(each.logged
        ? await missingLines(proxy.log!, logged, requests, connections)
        : []),
    ],
  };
}

async function driveWith(
  each: LoadCase,
  port: number,
  { folder, seconds }: LoadOptions,
): Promise<Driven> {
  const file = `${folder}/request`;
  await Deno.writeTextFile(file, each.request);
  const scheme = each.port === "plain" ? "http" : "https";
  const url = `${scheme}://127.0.0.1:${port}/`;
  const { connections } = each;
  return await drive({ url, request: file, connections, seconds });
}

function problemsOf(
  { requests, bytes, failures }: Driven,
  length: number,
  connections: number,
): string[] {
  const problems = Object.entries(failures).map(([kind, count]) =>
    `${count} ${kind} errors`
  );
  if (requests === 0) problems.push("no answer");
  // Answers are all alike; those under way at the end are not counted as such.
  const whole = requests * length;
  if (bytes < whole || bytes > whole + connections * length) {
    problems.push(
      `${bytes} bytes in ${requests} answers instead of ${length} in each`,
    );
  }
  return problems;
}

async function missingLines(
  log: string,
  before: number,
  requests: number,
  connections: number,
): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, LOG_DELAY));
  const lines = await countLines(log) - before;
  // The probe's line may come before or behind the first count, and those who
  // were cut off at the end have lines, too.
  return lines >= requests && lines <= requests + connections + 1
    ? []
    : [`${lines} lines logged of ${requests} requests`];
}

async function countLines(file: string): Promise<number> {
  let lines = 0;
  try {
    using input = await Deno.open(file);
    for await (const piece of input.readable) {
      for (let at = -1; (at = piece.indexOf(10, at + 1)) >= 0;) lines++;
    }
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  return lines;
}
