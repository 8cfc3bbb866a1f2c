/**
 * How long clients wait over TLS, beside HAProxy and nginx: `deno task tls-latency`.
 *
 * One client asks again and again on one connection to each, in turn, with the
 * kernel's own delayed acknowledgements: a proxy that leaves Nagle's algorithm
 * on shows as answers of 40 to 50 ms. Two networks: the loopback as it is, and
 * one with an MTU of 1500 in a network namespace of its own (Linux, root).
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  makeCertificates,
  type Program,
  startHaproxy,
  startHeadrace,
  startNginx,
  startNginxProxy,
} from "./bench/programs.ts";

/** Bodies that are asked for, and how many requests of each. */
const BODIES = [
  { name: "130 B", path: "/small", bytes: 130, count: 10_000 },
  { name: "16 KB", path: "/16k", bytes: 16 << 10, count: 10_000 },
  { name: "64 KB", path: "/64k", bytes: 64 << 10, count: 5_000 },
  { name: "1 MB", path: "/1m", bytes: 1 << 20, count: 2_000 },
] as const;

/** Requests to one proxy before it is the next one's turn. */
const BLOCK = 50;

/** Requests that are not counted. */
const WARM_UP = 500;

/** Answers that took so many milliseconds have waited for a delayed acknowledgement. */
const STALL = { from: 35, to: 60 } as const;

const MTU = 1500;

/** Set in the process that runs within the namespace. */
const INSIDE = "HEADRACE_TLS_LATENCY_NETWORK";

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      // How many times as many requests.
      times: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
    },
  });
  const network = Deno.env.get(INSIDE);
  const rows = await measureAll(
    network ?? "loopback, MSS 65483",
    Number(values.times),
  );
  if (network !== undefined) {
    console.log(JSON.stringify(rows));
  } else {
    rows.push(...await withinNamespace(Deno.args));
    console.log(values.json ? JSON.stringify(rows) : table(rows));
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
  const folder = await Deno.makeTempDir({ prefix: "headrace-tls-latency-" });
  const programs: Program[] = [];
  try {
    await makeCertificates(folder);
    const backend = await startNginx(folder);
    programs.push(backend);
    await Deno.writeTextFile(`${folder}/www/64k`, "y".repeat(64 << 10));
    await Deno.writeTextFile(`${folder}/www/1m`, "z".repeat(1 << 20));
    const { plain } = backend.ports;
    const headrace = await startHeadrace(folder, plain);
    programs.push(headrace);
    const haproxy = await startHaproxy(folder, plain);
    programs.push(haproxy);
    const nginx = await startNginxProxy(folder, plain);
    programs.push(nginx);
    const proxies = {
      HAProxy: haproxy.ports.tls,
      nginx: nginx.ports.tls,
      Headrace: headrace.ports.tls,
      "Headrace, node:tls": headrace.ports.tlsSeveral,
    };
    const rows: Row[] = [];
    for (const { name, path, bytes, count } of BODIES) {
      const taken = await ask({
        ports: Object.values(proxies),
        path,
        bytes,
        count: count * times,
        block: BLOCK,
        warmUp: WARM_UP,
      });
      rows.push({
        network,
        body: name,
        requests: taken[0]!.length,
        latencies: Object.keys(proxies).map((proxy, i) =>
          summed(proxy, taken[i]!)
        ),
      });
    }
    return rows;
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
    await Deno.remove(folder, { recursive: true });
  }
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
