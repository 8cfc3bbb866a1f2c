/**
 * All kinds of traffic at once, at a moderate pace and for long, while clients
 * leave, backends die and configs change: `deno task soak`; `--help` tells its
 * options.
 *
 * Every byte of every answer is compared. In the end memory and descriptors must
 * be what they were when the run was warm, and nothing may be left open.
 *
 * Ends with 1 where something is not as it must be. Linux only, as it reads
 * `/proc`.
 *
 * @module
 */
import { makeAuthority } from "../tests/support/certificates.ts";
import {
  flag,
  one,
  only,
  POSITIVE,
  readOptions,
  type Values,
  WHOLE,
} from "./options.ts";
import {
  type BackendArguments,
  type BackendPorts,
  chooseBackendPorts,
} from "./soak/backend_main.ts";
import { Child } from "./soak/child.ts";
import {
  KINDS,
  type LoadArguments,
  type LoadCommand,
  type LoadReport,
} from "./soak/load_main.ts";
import { configText, type Variant } from "./soak/proxy_config.ts";
import { GAUGES, type Sample, SoakProxy } from "./soak/proxy.ts";
import { Random } from "./soak/random.ts";
import { pause } from "./soak/user.ts";
import { type Evidence, problemsOf, tables } from "./soak/verdict.ts";
import type {
  Round,
  WebSocketArguments,
  WebSocketCommand,
  WebSocketReport,
} from "./soak/websocket_main.ts";
import { figure } from "./websocket_load/text_table.ts";
import { listenLow } from "./websocket_load/listen_low.ts";

/** Seconds between two samples, less in a short run, and between two reloads. */
const SAMPLE = 10;
const RELOAD = 10;

/** Each so many reloads one is refused. */
const REFUSED = 7;

/** Seconds between a backend's return and its next death, and those that it is away. */
const LIFE = 25;
const AWAY = 3;

/** Seconds until idle connections are gone once the load is over. */
const REST = 15;

/** WebSocket sessions in session mode, and messages per second of each. */
const SESSIONS = 10;
const RATE = 20;

const OPTIONS = {
  seconds: one(POSITIVE, {
    does: "how long the load lasts",
    unit: "seconds",
    default: 1800,
  }),
  workers: one(WHOLE, { does: "of the proxy", default: 2 }),
  seed: one(WHOLE, {
    does: "decides all that is random",
    default: 1 + Date.now() % 1_000_000,
    byDefault: "by the clock",
  }),
  scale: one(POSITIVE, { does: "all rates are multiplied by it", default: 1 }),
  only: only(KINDS.map(({ name }) => name)),
  disk: flag("cached objects lie on disk, too"),
  realtime: flag(
    "(root) the proxy runs before all others: its pauses are its own",
  ),
};

type Backend = Child<never, { readonly listens: true }>;

if (import.meta.main) {
  const options = readOptions({
    task: "soak",
    does: "All kinds of traffic at once, at a moderate pace and for long, " +
      "while clients leave, backends die and configs change. Linux only. " +
      "Ends with 1 where something is not as it must be.",
    options: OPTIONS,
    example: "--seconds 600 --workers 4 --disk",
  });
  const evidence = await soak(options);
  const problems = problemsOf(evidence);
  console.log(tables(evidence));
  console.log(
    problems.length === 0
      ? "\nAll is as it must be"
      : `\nNot as it must be:\n  ${problems.join("\n  ")}`,
  );
  Deno.exit(problems.length === 0 ? 0 : 1);
}

/** Runs it. */
async function soak(options: Values<typeof OPTIONS>): Promise<Evidence> {
  const { seconds, workers, seed, scale, only, disk } = options;
  console.error(`seed ${seed}`);
  const random = new Random(seed);
  const folder = await Deno.makeTempDir({ prefix: "headrace-soak-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const { cert, key, ca } = await writeCertificates(folder);

  const calm = chooseBackendPorts();
  const mortal = chooseBackendPorts();
  const startBackend = async (ports: BackendPorts): Promise<Backend> => {
    const listens = Promise.withResolvers<void>();
    const options: BackendArguments = { ports, cert, key };
    const child: Backend = new Child(
      "./backend_main.ts",
      options,
      () => listens.resolve(),
    );
    await Promise.race([listens.promise, child.ended]);
    return child;
  };
  const calmBackend = await startBackend(calm);
  stack.defer(() => calmBackend.kill());
  let mortalBackend = await startBackend(mortal);
  stack.defer(() => mortalBackend.kill());

  const rounds: Round[] = [];
  const webSocketPorts = Promise.withResolvers<readonly number[]>();
  const webSocketArguments: WebSocketArguments = {
    seed: random.below(1 << 30),
    sessions: SESSIONS,
    rate: RATE,
  };
  const webSockets = new Child<WebSocketCommand, WebSocketReport>(
    "./websocket_main.ts",
    webSocketArguments,
    (report) => {
      if ("ports" in report) webSocketPorts.resolve(report.ports);
      else rounds.push(report.round);
    },
  );
  stack.defer(() => webSockets.kill());

  const parts = {
    folder,
    workers,
    disk,
    calm,
    mortal,
    websocket: await webSocketPorts.promise,
    extra: freePort(),
  };
  const config = `${folder}/headrace.json`;
  const write = (variant: Variant) =>
    Deno.writeTextFile(config, configText(parts, variant));
  await write("first");
  const proxy = stack.use(
    await SoakProxy.start(config, { runDir: `${folder}/run` }),
  );
  if (options.realtime) await proxy.prefer();
  await pause(2_000);
  const before = await proxy.sample();

  const began = performance.now();
  const loadArguments: LoadArguments = {
    places: proxy.places(ca),
    seed: random.below(1 << 30),
    scale,
    only,
  };
  let latest: LoadReport | undefined;
  const load = new Child<LoadCommand, LoadReport>(
    "./load_main.ts",
    loadArguments,
    (report) => {
      const before = latest?.told.length ?? 0;
      for (const text of report.told.slice(before)) console.error(text);
      latest = report;
    },
  );
  stack.defer(() => load.kill());
  await webSockets.tell({ port: proxy.port });

  const stop = new AbortController();
  const { signal } = stop;
  const samples: Sample[] = [];
  const reloads = { good: 0, refused: 0 };
  let deaths = 0;
  const sampling = every(Math.min(SAMPLE, seconds / 30), signal, async () => {
    const sample = await proxy.sample();
    samples.push(sample);
    console.error(describe(sample, began, latest, rounds.length));
  });
  const reloading = every(RELOAD, signal, async () => {
    const number = reloads.good + reloads.refused + 1;
    const refused = number % REFUSED === 0;
    await write(refused ? "refused" : number % 2 === 1 ? "second" : "first");
    proxy.reload();
    if (refused) reloads.refused++;
    else reloads.good++;
  });
  const killing = every(LIFE, signal, async () => {
    await load.tell({ fault: "begin", at: Date.now() });
    await mortalBackend.kill();
    deaths++;
    await pause(AWAY * 1_000);
    mortalBackend = await startBackend(mortal);
    await load.tell({ fault: "end", at: Date.now() });
  });
  const timer = setTimeout(() => stop.abort(), seconds * 1_000);
  // Whoever has seen enough gets the tables of what there was.
  const enough = () => stop.abort();
  Deno.addSignalListener("SIGINT", enough);
  Deno.addSignalListener("SIGTERM", enough);
  try {
    await Promise.race([
      Promise.all([sampling, reloading, killing]),
      failed("the load", load.ended),
      failed("the WebSocket load", webSockets.ended),
      failed("the backends", calmBackend.ended),
      failed("the proxy", proxy.ended),
    ]);
  } finally {
    clearTimeout(timer);
    stop.abort();
    Deno.removeSignalListener("SIGINT", enough);
    Deno.removeSignalListener("SIGTERM", enough);
  }
  const stopped = performance.now();
  await Promise.all([
    load.tell({ stop: true }),
    webSockets.tell({ stop: true }),
  ]);
  await Promise.all([load.ended, webSockets.ended]);
  await pause(REST * 1_000);
  const idle = await proxy.sample();
  console.error(describe(idle, began, latest, rounds.length));
  const code = await proxy.stop();
  return {
    began,
    stopped,
    samples,
    before,
    idle,
    load: latest!,
    rounds,
    reloads,
    deaths,
    collections: proxy.collections,
    complaints: proxy.complaints,
    code,
  };
}

/** Does it again and again until the signal. */
async function every(
  seconds: number,
  signal: AbortSignal,
  act: () => Promise<void>,
): Promise<void> {
  for (;;) {
    await pause(seconds * 1_000, signal);
    if (signal.aborted) return;
    await act();
  }
}

async function failed(what: string, ended: Promise<unknown>): Promise<never> {
  await ended;
  throw new Error(`Too early an end of ${what}`);
}

function describe(
  { at, resident, heap, descriptors, metrics }: Sample,
  began: number,
  load: LoadReport | undefined,
  rounds: number,
): string {
  const sum = (key: "done" | "explained" | "unexplained" | "wrong") =>
    Object.values(load?.kinds ?? {}).reduce((sum, each) => sum + each[key], 0);
  return [
    `${figure((at - began) / 1_000)} s:`,
    `${figure(resident / (1 << 20))} MB resident, ${figure(heap, 1)} MB heap,`,
    `${descriptors} descriptors, ${metrics.get(GAUGES.sessions)} sessions;`,
    `${sum("done")} done, ${sum("explained")} failed explained,`,
    `${sum("unexplained")} unexplained, ${
      sum("wrong")
    } wrong; ${rounds} rounds`,
  ].join(" ");
}

async function writeCertificates(folder: string) {
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue({
    names: ["soak.test", "*.test"],
  });
  await Deno.writeTextFile(`${folder}/site.crt`, cert);
  await Deno.writeTextFile(`${folder}/site.key`, key);
  await Deno.writeTextFile(`${folder}/ca.crt`, authority.cert);
  return { cert, key, ca: authority.cert };
}

function freePort(): number {
  const listener = listenLow();
  const { port } = listener.addr;
  listener.close();
  return port;
}
