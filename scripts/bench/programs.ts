/**
 * The programs of a benchmark: the backend and the proxies before it.
 *
 * @module
 */

/** A program that runs. */
export interface Program {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

const PORTS = {
  nginx: 19_801,
  haproxy: 19_802,
  headrace: 19_803,
  admin: 19_804,
};

/** nginx with a small answer and a file of 16 KB. */
export async function startNginx(folder: string): Promise<Program> {
  await Deno.mkdir(`${folder}/www`);
  // nginx's worker runs as nobody, temporary folders are the owner's alone.
  await Deno.chmod(folder, 0o755);
  await Deno.writeTextFile(`${folder}/www/16k`, "x".repeat(16 << 10));
  await Deno.writeTextFile(`${folder}/www/small`, "s".repeat(129) + "\n");
  const config = `${folder}/nginx.conf`;
  await Deno.writeTextFile(
    config,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; open_file_cache max=10;
  server { listen 127.0.0.1:${PORTS.nginx}; root ${folder}/www; }
}
`,
  );
  return await start("nginx", ["-c", config], PORTS.nginx, "/small");
}

/** HAProxy with one thread, a pool towards the backend and X-Forwarded-For. */
export async function startHaproxy(
  folder: string,
  backend: number,
): Promise<Program> {
  const config = `${folder}/haproxy.cfg`;
  await Deno.writeTextFile(
    config,
    `global
  nbthread 1
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind 127.0.0.1:${PORTS.haproxy}
  default_backend pool
backend pool
  http-reuse always
  server nginx 127.0.0.1:${backend}
`,
  );
  return await start(
    "haproxy",
    ["-db", "-f", config],
    PORTS.haproxy,
    "/small",
  );
}

/** Headrace with one worker and a plain config. */
export async function startHeadrace(
  folder: string,
  backend: number,
): Promise<Program> {
  const config = `${folder}/headrace.yaml`;
  await Deno.writeTextFile(
    config,
    `listeners: [{ name: web, address: "127.0.0.1:${PORTS.headrace}" }]
clusters: [{ name: pool, backends: [{ url: "http://127.0.0.1:${backend}" }] }]
workers: 1
log: { level: warn }
admin: { address: "127.0.0.1:${PORTS.admin}" }
`,
  );
  const main = new URL("../../main.ts", import.meta.url).pathname;
  return await start(
    Deno.execPath(),
    ["run", "-A", main, "--config", config],
    PORTS.headrace,
    "/small",
  );
}

async function start(
  command: string,
  args: readonly string[],
  port: number,
  path: string,
): Promise<Program> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  await answers(port, path);
  return {
    pid: await workingPid(child.pid),
    port,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** Waits until it answers. Throws after ten seconds. */
async function answers(port: number, path: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // It does not listen yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Nothing answers on port ${port}`);
}

/** The process that does the work: nginx's worker, not its master. */
async function workingPid(pid: number): Promise<number> {
  const children = `/proc/${pid}/task/${pid}/children`;
  const text = await Deno.readTextFile(children);
  const first = Number(text.trim().split(" ")[0]);
  return first > 0 ? first : pid;
}
