/**
 * What clients lose while backends die and come back, and how requests are
 * shared out: `deno task finding-load`; `--help` tells its options.
 *
 * Three backends (nginx), Headrace with its defaults and wrk, all on this
 * machine. Half load is found by a run at full load.
 *
 * @module
 */
import { NginxBackend } from "./finding_load/nginx_backend.ts";
import { type ProxyParts, startProxy } from "./finding_load/proxy.ts";
import { drive, type Driven } from "./finding_load/wrk.ts";
import { one, readOptions, WHOLE } from "./options.ts";
import { figure, textTable } from "./websocket_load/text_table.ts";

const CONNECTIONS = 64;

/** How many are shared out at least. */
const SHARED_OUT = 100_000;

interface Options {
  readonly seconds: number;
  readonly workers: number;
}

/** What happens to backends while wrk is at work, which takes so many seconds. */
interface Trouble {
  readonly name: string;
  readonly make: (
    backends: readonly NginxBackend[],
    seconds: number,
  ) => Promise<void>;
}

const TROUBLES: readonly Trouble[] = [
  { name: "none", make: async () => {} },
  {
    name: "kill -9 of one of three",
    async make([one], seconds) {
      await wait(seconds / 3);
      await one!.end("SIGKILL");
    },
  },
  ...(["SIGKILL", "SIGTERM", "SIGQUIT"] as const).map((signal): Trouble => ({
    name: `${signal} and a start of each in turn`,
    async make(backends, seconds) {
      const part = seconds / (backends.length + 1);
      for (const backend of backends) {
        await wait(part / 2);
        await backend.end(signal);
        await wait(part / 2);
        await backend.start();
      }
    },
  })),
];

/** What GETs at half load meet in each trouble. */
async function deaths({ seconds, workers }: Options): Promise<string> {
  const rows: string[][] = [];
  let pause: number | undefined;
  for (const { name, make } of TROUBLES) {
    const [driven] = await withBackends({ workers }, async (port, backends) => {
      const load = { port, connections: CONNECTIONS };
      // What a compiler learns in the first seconds is not what is asked.
      await drive({ ...load, seconds: 2 });
      if (pause === undefined) {
        const full = await drive({ ...load, seconds: 4 });
        pause = Math.round(CONNECTIONS * 1_000 / (full.perSecond / 2));
        rows.push(row("none, full load", full));
      }
      return await Promise.all([
        drive({ ...load, seconds, pause }),
        make(backends, seconds),
      ]);
    });
    rows.push(row(`${name}, half load`, driven));
  }
  return textTable(
    ["trouble", "GETs", "a second", "failed", "slowest", "socket errors"],
    rows,
  );
}

function row(name: string, driven: Driven): string[] {
  const { requests, perSecond, failed, slowest, socketErrors } = driven;
  return [
    name,
    String(requests),
    figure(perSecond),
    String(failed),
    slowest,
    socketErrors,
  ];
}

const WEIGHTS = [5, 3, 2];

/** How policies share out requests among backends of weights, counted by the backends. */
async function shares({ workers }: Options): Promise<string> {
  const rows: string[][] = [];
  for (const balance of ["roundrobin", "leastconn", "random"]) {
    const parts = { workers, weights: WEIGHTS, cluster: { balance } };
    const counts = await withBackends(parts, async (port, backends) => {
      const total = async () =>
        await Promise.all(backends.map((backend) => backend.requests()));
      const before = await total();
      for (let sent = 0; sent < SHARED_OUT;) {
        const { requests } = await drive({
          port,
          connections: CONNECTIONS,
          seconds: 4,
        });
        sent += requests;
      }
      const after = await total();
      // The second question was counted, too.
      return after.map((count, i) => count - before[i]! - 1);
    });
    const sum = counts.reduce((sum, count) => sum + count, 0);
    rows.push([
      balance,
      String(sum),
      ...counts.map((count) => `${figure(100 * count / sum, 2)} %`),
    ]);
  }
  return textTable(
    ["balance", "GETs", ...WEIGHTS.map((weight) => `weight ${weight}`)],
    rows,
  );
}

/** Runs with three backends and a proxy, which end with it. */
async function withBackends<T>(
  parts: ProxyParts,
  run: (port: number, backends: readonly NginxBackend[]) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-finding-" });
  try {
    await using one = await NginxBackend.start("one", folder);
    await using two = await NginxBackend.start("two", folder);
    await using three = await NginxBackend.start("three", folder);
    const backends = [one, two, three];
    await using proxy = await startProxy(folder, backends, parts);
    return await run(proxy.port, backends);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function wait(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}

if (import.meta.main) {
  const options = readOptions({
    task: "finding-load",
    does: "What clients lose while backends die and come back, and how " +
      "requests are shared out. Needs Linux, nginx and wrk.",
    options: {
      seconds: one(WHOLE, {
        does: "how long each trouble takes",
        unit: "seconds",
        default: 10,
      }),
      workers: one(WHOLE, { does: "of the proxy", default: 1 }),
    },
    example: "--seconds 30 --workers 2",
  });
  console.log(await deaths(options));
  console.log(`\n${await shares(options)}`);
}
