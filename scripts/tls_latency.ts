/**
 * How long clients wait over TLS, beside HAProxy and nginx:
 * `deno task tls-latency`; `--help` tells its options.
 *
 * One client asks again and again on one connection to each, in turn, with the
 * kernel's own delayed acknowledgements: a proxy that leaves Nagle's algorithm
 * on shows as answers of 40 to 50 ms. Two networks: the loopback as it is, and
 * one with an MTU of 1500 in a network namespace of its own (Linux, root).
 *
 * @module
 */
import { flag, one, POSITIVE, readOptions } from "./options.ts";
import { startPrograms } from "./tls_latency/programs.ts";

/** Bodies that are asked for, and how many requests of each. */
const BODIES = [
  { name: "130 B", file: "small", bytes: 130, count: 10_000 },
  { name: "16 KB", file: "16k", bytes: 16 << 10, count: 10_000 },
  { name: "64 KB", file: "64k", bytes: 64 << 10, count: 5_000 },
  { name: "1 MB", file: "1m", bytes: 1 << 20, count: 2_000 },
] as const;

/** What it takes besides Deno. */
const TOOLS = ["haproxy", "nginx", "python3", "unshare", "ip"] as const;

/** Requests to one proxy before it is the next one's turn. */
const BLOCK = 50;

/** Requests on a connection that are not counted. */
const WARM_UP = 500;

/** Requests to each proxy before all others: what a compiler learns meanwhile is not what is asked. */
const FIRST = 10_000;

/** Answers that took so many milliseconds have waited for a delayed acknowledgement. */
const STALL = { from: 35, to: 60 } as const;

const MTU = 1500;

/** Set in the process that runs within the namespace. */
const INSIDE = "HEADRACE_TLS_LATENCY_NETWORK";

if (import.meta.main) {
  const { times, json } = readOptions({
    task: "tls-latency",
    does: "How long clients wait over TLS, beside HAProxy and nginx. Needs " +
      `Linux, root, ${TOOLS.join(", ")}.`,
    options: {
      times: one(POSITIVE, {
        does: `so many times the requests, which are ${
          BODIES.map(({ name, count }) =>
            `${count.toLocaleString("en")} of ${name}`
          )
            .join(", ")
        }`,
        default: 1,
      }),
      json: flag("prints JSON"),
    },
    example: "--times 0.2",
  });
  const missing = await missingTools();
  if (missing.length > 0) {
    console.error(`Not installed: ${missing.join(", ")}`);
    Deno.exit(1);
  }
  const network = Deno.env.get(INSIDE);
  const rows = await measureAll(
    network ?? "loopback, MSS 65483",
    times,
  );
  if (network !== undefined) {
    console.log(JSON.stringify(rows));
  } else {
    rows.push(...await withinNamespace(Deno.args));
    console.log(json ? JSON.stringify(rows) : table(rows));
  }
}

/** Latencies of one proxy, in milliseconds. */
interface Latency {
  readonly proxy: string;
  readonly median: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Part of the answers that waited for a delayed acknowledgement. */
  readonly stalled: number;
}

/** One size on one network. */
interface Row {
  readonly network: string;
  readonly body: string;
  readonly requests: number;
  readonly latencies: readonly Latency[];
}

async function measureAll(network: string, times: number): Promise<Row[]> {
  await using programs = await startPrograms(
    Object.fromEntries(BODIES.map(({ file, bytes }) => [file, bytes])),
  );
  const { ports } = programs;
  const askFor = (file: string, bytes: number, count: number) =>
    ask({
      ports: Object.values(ports),
      path: `/${file}`,
      bytes,
      count,
      block: BLOCK,
      warmUp: WARM_UP,
    });
  await askFor(BODIES[0].file, BODIES[0].bytes, FIRST);
  const rows: Row[] = [];
  for (const { name, file, bytes, count } of BODIES) {
    const taken = await askFor(file, bytes, count * times);
    rows.push({
      network,
      body: name,
      requests: taken[0]!.length,
      latencies: Object.keys(ports).map((proxy, i) => summed(proxy, taken[i]!)),
    });
  }
  return rows;
}

async function missingTools(): Promise<string[]> {
  const missing: string[] = [];
  for (const tool of TOOLS) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${tool}`],
      stdout: "null",
    }).output();
    if (!success) missing.push(tool);
  }
  return missing;
}

/** What the client is to do. */
interface ClientPlan {
  readonly ports: readonly number[];
  readonly path: string;
  readonly bytes: number;
  readonly count: number;
  readonly block: number;
  readonly warmUp: number;
}

/** Runs the client; microseconds of each request, by port. */
async function ask(plan: ClientPlan): Promise<number[][]> {
  const client = new Deno.Command("python3", {
    args: [new URL("./tls_latency/client.py", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = client.stdin.getWriter();
  await input.write(new TextEncoder().encode(JSON.stringify(plan)));
  await input.close();
  const { success, stdout } = await client.output();
  if (!success) throw new Error("The client failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

function summed(proxy: string, microseconds: readonly number[]): Latency {
  const sorted = microseconds.map((each) => each / 1000).sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  const stalled =
    sorted.filter((each) => each >= STALL.from && each <= STALL.to).length;
  return {
    proxy,
    median: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: sorted.at(-1)!,
    stalled: stalled / sorted.length,
  };
}

/** Runs this program again where the loopback has the MTU of an Ethernet. */
async function withinNamespace(args: readonly string[]): Promise<Row[]> {
  const self = new URL(import.meta.url).pathname;
  const { success, stdout } = await new Deno.Command("unshare", {
    args: [
      "--net",
      "sh",
      "-c",
      `ip link set lo mtu ${MTU} up && exec "$@"`,
      "sh",
      Deno.execPath(),
      "run",
      "-A",
      self,
      ...args,
    ],
    env: { [INSIDE]: `MTU ${MTU}, MSS 1448` },
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("The run within a network namespace failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

function table(rows: readonly Row[]): string {
  const lines = rows.flatMap(({ network, body, requests, latencies }) => {
    const [haproxy] = latencies;
    return [
      "",
      `${network}: ${body}, ${requests} requests each`,
      `${
        "".padEnd(20)
      }   median      p99    p99.9      max  stalled  × HAProxy: median, p99.9`,
      ...latencies.map((each) =>
        [
          each.proxy.padEnd(20),
          ...[each.median, each.p99, each.p999, each.max].map((value) =>
            value.toFixed(3).padStart(9)
          ),
          `${(each.stalled * 100).toFixed(2)} %`.padStart(9),
          (each.median / haproxy!.median).toFixed(2).padStart(18),
          (each.p999 / haproxy!.p999).toFixed(2).padStart(7),
        ].join("")
      ),
    ];
  });
  return ["Milliseconds; stalled: 35 to 60 ms", ...lines].join("\n");
}
