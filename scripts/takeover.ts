/**
 * Counts what clients lose when one Headrace takes over from another, again and
 * again, under a steady stream of new connections: `deno task takeover`.
 *
 *     deno task takeover --rate 200,2000 --takeovers 20 --workers 2 --tls
 *
 * The kernel resets what waits in the queue of a socket that closes, unless
 * `net.ipv4.tcp_migrate_req` is 1. Run as root it is measured both ways; in a
 * network namespace of its own (`unshare -n sh -c 'ip link set lo up; …'`) the
 * machine's setting stays.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { openLoop } from "./takeover/open_loop.ts";
import { Succession } from "./takeover/succession.ts";

const MIGRATE = "/proc/sys/net/ipv4/tcp_migrate_req";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "200,2000" },
    takeovers: { type: "string", default: "20" },
    workers: { type: "string", default: "2" },
    tls: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
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
    for (const rate of values.rate.split(",").map(Number)) {
      const row = await measure(migrate, rate);
      rows.push(row);
      if (!values.json) console.log(describe(row));
    }
  }
} finally {
  if (before !== undefined) await setMigrate(before);
}
if (values.json) console.log(JSON.stringify(rows));

async function measure(migrate: string, rate: number): Promise<Row> {
  await using succession = await Succession.begin({
    workers: Number(values.workers),
    tls: values.tls,
  });
  const load = openLoop({ rate, request: () => succession.request() });
  const takeovers = Number(values.takeovers);
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
