/**
 * CPU time per MB of compressed text beside nginx's at the same level:
 * `deno task compress-cpu`; `--help` tells its options.
 *
 * One nginx is the backend of both: it has 1 MiB of this repository's source.
 * Headrace and another nginx, one worker each, get it in turn and compress it
 * for a client of one connection. What is compared is the CPU time of the
 * proxy's process, as many other programs may share the cores.
 *
 * @module
 */
import { eventually } from "../tests/support/eventually.ts";
import { freePorts } from "../tests/support/free_ports.ts";
import { startHeadrace } from "../tests/support/headrace_process.ts";
import { numbers, one, readOptions, WHOLE } from "./options.ts";
import { cpuSeconds } from "./process_stat.ts";

const MIB = 1 << 20;

/** Levels of gzip. */
const LEVEL = numbers(
  "a whole number from 1 to 9",
  (level) => Number.isInteger(level) && level <= 9,
);

const { level, responses, runs } = readOptions({
  task: "compress-cpu",
  does:
    "CPU time per MiB of compressed text beside nginx's at the same level. " +
    "Needs Linux, nginx and curl.",
  options: {
    level: one(LEVEL, { does: "gzip's level", default: 5 }),
    responses: one(WHOLE, { does: "responses of 1 MiB a run", default: 100 }),
    runs: one(WHOLE, { does: "runs, after one that warms up", default: 5 }),
  },
  example: "--level 1 --runs 9",
});

const folder = await Deno.makeTempDir({ prefix: "headrace-compress-" });
// nginx's worker may run as nobody.
await Deno.chmod(folder, 0o755);
const [backendPort = 0, nginxPort = 0, port = 0, admin = 0] = freePorts(4);
await Deno.mkdir(`${folder}/www`);
await Deno.writeFile(`${folder}/www/text.txt`, await sourceText());
const backend = await startNginx(
  "backend",
  backendPort,
  `root ${folder}/www; types { text/plain txt; }`,
);
const nginx = await startNginx(
  "proxy",
  nginxPort,
  `gzip on; gzip_proxied any; gzip_types text/plain; gzip_comp_level ${level};
   location / { proxy_pass http://127.0.0.1:${backendPort}; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
);
await Deno.writeTextFile(
  `${folder}/proxy.yaml`,
  JSON.stringify({
    listeners: [{ name: "web", address: `127.0.0.1:${port}` }],
    clusters: [{
      name: "main",
      backends: [{ url: `http://127.0.0.1:${backendPort}` }],
    }],
    plugins: [{
      use: "builtin:compress",
      options: { codings: ["gzip"], level: { gzip: level } },
    }],
    admin: { address: `127.0.0.1:${admin}` },
    workers: 1,
  }),
);
const headrace = startHeadrace(["--config", `${folder}/proxy.yaml`]);
await headrace.wrote("Headrace serves");

try {
  const both = {
    headrace: { pid: headrace.pid, port, costs: [] as number[], bytes: 0 },
    nginx: {
      pid: nginx.pid,
      port: nginxPort,
      costs: [] as number[],
      bytes: 0,
    },
  };
  for (let run = 0; run <= runs; run++) {
    for (const each of Object.values(both)) {
      const before = await cpuSeconds(each.pid);
      each.bytes = await ask(each.port);
      const cost = (await cpuSeconds(each.pid) - before) / responses;
      // The first run compiles and warms up.
      if (run > 0) each.costs.push(cost * 1_000);
    }
  }
  const cost = (name: keyof typeof both) => median(both[name].costs);
  for (const [name, { bytes, costs }] of Object.entries(both)) {
    console.log(
      `${name}: ${median(costs).toFixed(2)} ms of CPU per MiB, of ${
        costs.map((each) => each.toFixed(2)).join(", ")
      }; 1 MiB becomes ${bytes} bytes`,
    );
  }
  console.log(
    `gzip level ${level}: ${
      (cost("headrace") / cost("nginx")).toFixed(2)
    } × nginx's`,
  );
} finally {
  await headrace[Symbol.asyncDispose]();
  await nginx.stop();
  await backend.stop();
  await Deno.remove(folder, { recursive: true });
}

/** Bytes of a compressed response, after asking for so many, one after another. */
async function ask(port: number): Promise<number> {
  const client = new Deno.Command("curl", {
    args: [
      "-s",
      "-H",
      "Accept-Encoding: gzip",
      "-o",
      "/dev/null",
      "-w",
      "%{size_download} ",
      `http://127.0.0.1:${port}/text.txt?[1-${responses}]`,
    ],
    stderr: "inherit",
  });
  const { stdout } = await client.output();
  const sizes = new TextDecoder().decode(stdout).trim().split(" ");
  if (sizes.length !== responses || Number(sizes[0]) > MIB / 2) {
    throw new Error(`Not ${responses} compressed responses: ${sizes}`);
  }
  return Number(sizes[0]);
}

/** 1 MiB of this repository's own source. */
async function sourceText(): Promise<Uint8Array> {
  const whole = new Uint8Array(MIB);
  let at = 0;
  const core = new URL("../core/", import.meta.url);
  for await (const folder of Deno.readDir(core)) {
    if (!folder.isDirectory) continue;
    for await (const { name } of Deno.readDir(new URL(folder.name, core))) {
      const path = new URL(`${folder.name}/${name}`, core);
      if (!name.endsWith(".ts")) continue;
      const bytes = await Deno.readFile(path);
      whole.set(bytes.subarray(0, MIB - at), at);
      at = Math.min(MIB, at + bytes.length);
    }
  }
  // Less would leave zeros, which compress all too well.
  if (at < MIB) throw new Error(`Only ${at} bytes of source`);
  return whole;
}

async function startNginx(name: string, port: number, server: string) {
  const config = `${folder}/${name}.conf`;
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((each) => `${each}_temp_path ${folder}/${name}-${each};`).join(" ");
  await Deno.writeTextFile(
    config,
    `daemon off; master_process off; pid ${folder}/${name}.pid;
error_log ${folder}/${name}.log error;
events {}
http { ${temp} access_log off; keepalive_requests 1000000;
  server { listen 127.0.0.1:${port}; ${server} } }`,
  );
  const child = new Deno.Command("nginx", {
    args: ["-p", folder, "-c", config, "-e", `${folder}/${name}.log`],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  await eventually(`nginx as ${name}`, async () => {
    try {
      (await Deno.connect({ port })).close();
      return true;
    } catch {
      return false;
    }
  });
  return {
    pid: child.pid,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
