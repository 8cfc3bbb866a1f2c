/**
 * How long requests take at a rate that does not ask for how long they take.
 *
 * @module
 */
import type { PacedCase } from "./cases.ts";
import { generate } from "./generator.ts";
import type { PacedReport, PacedTask } from "./paced_main.ts";
import { probe } from "./probe.ts";
import type { Proxy } from "./programs.ts";
import type { Sample } from "./sample.ts";
import { drive } from "./wrk.ts";

const CONNECTIONS = 64;

/** The rate of a proxy under full load, in requests a second. */
export async function peakRate(
  proxy: Proxy,
  { request, body }: PacedCase,
  { folder, seconds }: { readonly folder: string; readonly seconds: number },
): Promise<number> {
  const port = proxy.ports.plain;
  await probe({ port, request, body });
  const file = `${folder}/request`;
  await Deno.writeTextFile(file, request);
  const driven = await drive({
    url: `http://127.0.0.1:${port}/`,
    request: file,
    connections: CONNECTIONS,
    seconds,
  });
  return driven.requests / driven.seconds;
}

/** One measurement over so many seconds. */
export async function measurePaced(
  proxy: Proxy,
  { request, body }: PacedCase,
  { rate, seconds }: { readonly rate: number; readonly seconds: number },
): Promise<Sample> {
  const port = proxy.ports.plain;
  const { length } = await probe({ port, request, body });
  const report = await generate<PacedTask, PacedReport>("paced_main.ts", {
    port,
    request,
    length,
    connections: CONNECTIONS,
    rate,
    seconds,
  });
  const { planned, answered, wrong, p50, p99, p999, max, late } = report;
  const problems: string[] = [];
  if (wrong > 0) problems.push(`${wrong} wrong answers or lost connections`);
  if (late > p99 / 2) {
    problems.push(
      `the generator itself was late by ${
        late.toFixed(2)
      } ms, which tells of the machine`,
    );
  }
  if (answered < planned) {
    problems.push(`${planned - answered} of ${planned} not answered in time`);
  }
  return {
    cost: p99,
    latency: { p50, p99, p999, max, late, offered: rate },
    problems,
  };
}
