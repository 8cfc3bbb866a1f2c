/**
 * The load as a process of its own: HTTP, TCP and tunnels. It is told by lines
 * of JSON when backends are away, and tells by lines of JSON what came of it.
 *
 * @module
 */
import { FaultTimes } from "./fault_times.ts";
import { lines } from "./lines.ts";
import { Random } from "./random.ts";
import { Tally } from "./tally.ts";
import { CACHED } from "./traffic/cached.ts";
import { FAULTY } from "./traffic/faulty.ts";
import { REQUESTS } from "./traffic/requests.ts";
import { RUDE } from "./traffic/rude.ts";
import { TUNNELS } from "./traffic/tunnels.ts";
import { UPLOADS } from "./traffic/uploads.ts";
import { WITH_PLUGINS } from "./traffic/with_plugins.ts";
import { type Kind, type Places, runKind } from "./user.ts";

/** What the process is started with, as JSON. */
export interface LoadArguments {
  readonly places: Places;
  readonly seed: number;
  /** All rates are multiplied by it. */
  readonly scale: number;
  /** Names of kinds: no others. */
  readonly only: readonly string[];
}

/** What the harness says, a line each. */
export type LoadCommand =
  /** A backend goes or is back, at a time of Date.now(). */
  | { readonly fault: "begin" | "end"; readonly at: number }
  /** The end: what is under way is finished, then all is told. */
  | { readonly stop: true };

/** What it tells, a line each. */
export type LoadReport = Pick<Tally, "kinds" | "explained" | "told"> & {
  readonly over: boolean;
};

/** Every kind of traffic. */
export const KINDS: readonly Kind[] = [
  ...REQUESTS,
  ...UPLOADS,
  ...TUNNELS,
  ...CACHED,
  ...WITH_PLUGINS,
  ...FAULTY,
  ...RUDE,
];

/** Milliseconds between two reports. */
const REPORT = 5_000;

async function run(options: LoadArguments): Promise<void> {
  const { places, seed, scale, only } = options;
  const random = new Random(seed);
  const tally = new Tally();
  const faults = new FaultTimes();
  const stop = new AbortController();
  const { signal } = stop;
  const tell = (over: boolean) => {
    const { kinds, explained, told } = tally;
    const report: LoadReport = { kinds, explained, told, over };
    console.log(JSON.stringify(report));
  };
  const timer = setInterval(() => tell(false), REPORT);
  const running = Promise.all(
    KINDS.filter(({ name }) => only.includes(name)).map((kind) =>
      runKind(kind, {
        places,
        random: random.fork(),
        tally,
        faults,
        scale,
        signal,
      })
    ),
  );
  const hearing = (async () => {
    for await (const line of lines(Deno.stdin.readable)) {
      const command: LoadCommand = JSON.parse(line);
      if ("stop" in command) return stop.abort();
      if (command.fault === "begin") faults.begin(command.at);
      else faults.end(command.at);
    }
    stop.abort();
  })();
  await Promise.all([running, hearing]);
  clearInterval(timer);
  tell(true);
}

if (import.meta.main) await run(JSON.parse(Deno.args[0]!));
