/**
 * Counts what clients lose when one Headrace takes over from another, again and
 * again, under a steady stream of new connections: `deno task takeover`;
 * `--help` tells its options.
 *
 * The kernel resets what waits in the queue of a socket that closes, unless
 * `net.ipv4.tcp_migrate_req` is 1. Run as root it is measured both ways; in a
 * network namespace of its own (`unshare -n sh -c 'ip link set lo up; …'`) the
 * machine's setting stays.
 *
 * @module
 */
import { flag, list, one, POSITIVE, readOptions, WHOLE } from "./options.ts";
import { openLoop } from "./takeover/open_loop.ts";
import { Succession } from "./takeover/succession.ts";

const MIGRATE = "/proc/sys/net/ipv4/tcp_migrate_req";

const options = readOptions({
  task: "takeover",
  does: "Counts what clients lose when one Headrace takes over from another, " +
    "again and again, under a steady stream of new connections. Linux only; " +
    "as root with tcp_migrate_req both off and on.",
  options: {
    rate: list(POSITIVE, {
      does: "new connections, one measurement each",
      unit: "per second",
      default: [200, 2000],
    }),
    takeovers: one(WHOLE, { does: "in each measurement", default: 20 }),
    workers: one(WHOLE, { does: "of each process", default: 2 }),
    tls: flag("over TLS"),
    json: flag("prints JSON"),
  },
  example: "--rate 500 --takeovers 5 --tls",
});

/** One line of the table. */
interface Row {
  readonly migrate: string;
  readonly rate: number;
  readonly takeovers: number;
  readonly requests: number;
  readonly failed: number;
  readonly causes: Readonly<Record<string, number>>;
  /** Milliseconds that a client waited at most. */
  readonly longest: number;
}

const rows: Row[] = [];
const before = await readMigrate();
try {
  for (const migrate of ["0", "1"]) {
    if (!await setMigrate(migrate)) continue;
    for (const rate of options.rate) {
      const row = await measure(migrate, rate);
      rows.push(row);
      if (!options.json) console.log(describe(row));
    }
  }
} finally {
  if (before !== undefined) await setMigrate(before);
}
if (options.json) console.log(JSON.stringify(rows));

async function measure(migrate: string, rate: number): Promise<Row> {
  const { takeovers, workers, tls } = options;
  await using succession = await Succession.begin({ workers, tls });
  const load = openLoop({ rate, request: () => succession.request() });
  for (let i = 0; i < takeovers; i++) await succession.takeOver();
  const { requests, causes, longest } = await load.stop();
  const failed = Object.values(causes).reduce((sum, count) => sum + count, 0);
  return { migrate, rate, takeovers, requests, failed, causes, longest };
}

function describe(row: Row): string {
  const { migrate, rate, takeovers, requests, failed, causes, longest } = row;
  const why = failed === 0 ? "" : ` ${JSON.stringify(causes)}`;
  return `tcp_migrate_req=${migrate}, ${rate} connections/s, ${takeovers} takeovers: ` +
    `${failed} of ${requests} requests failed${why}, longest ${
      longest.toFixed(0)
    } ms`;
}

async function readMigrate(): Promise<string | undefined> {
  try {
    return (await Deno.readTextFile(MIGRATE)).trim();
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    return undefined;
  }
}

/** Whether it is so now; says where it can't be had. */
async function setMigrate(value: string): Promise<boolean> {
  if (await readMigrate() === value) return true;
  try {
    await Deno.writeTextFile(MIGRATE, value);
    return true;
  } catch (thrown) {
    console.error(`Not measured with tcp_migrate_req=${value}: ${thrown}`);
    return false;
  }
}
