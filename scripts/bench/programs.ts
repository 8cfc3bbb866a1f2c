/**
 * The programs of a benchmark: the backend and the proxies before it.
 *
 * @module
 */
import { writePairs } from "../../tests/support/certificate_files.ts";
import { makeAuthority } from "../../tests/support/certificates.ts";
import { workingPid } from "../process_stat.ts";

/** Where a program listens. */
export interface Ports {
  /** In the clear. */
  readonly plain: number;
  /** With TLS and one certificate. */
  readonly tls: number;
  /** With TLS and several certificates; the same where a program makes no difference. */
  readonly tlsSeveral: number;
}

/** A program that runs. */
export interface Program {
  readonly pid: number;
  readonly ports: Ports;
  stop(): Promise<void>;
}

const ADMIN = 19_804;

/** Ports of a program, from a first one on. */
function portsFrom(plain: number, several = 1): Ports {
  return { plain, tls: plain + 1, tlsSeveral: plain + several };
}

const PORTS = {
  backend: portsFrom(19_801),
  haproxy: portsFrom(19_810),
  headrace: portsFrom(19_820, 2),
  nginx: portsFrom(19_830),
};

/** Makes `one.crt` and `two.crt` with their keys, and `one.pem` with both as HAProxy wants them. */
export async function makeCertificates(folder: string): Promise<void> {
  const ca = await makeAuthority();
  const one = await ca.issue({ names: ["one.test"], ips: ["127.0.0.1"] });
  const two = await ca.issue({ names: ["two.test"] });
  await writePairs(folder, { one, two });
  await Deno.writeTextFile(`${folder}/one.pem`, one.cert + one.key);
}

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
  server { listen 127.0.0.1:${PORTS.backend.plain}; root ${folder}/www; }
}
`,
  );
  return await start("nginx", ["-c", config], PORTS.backend);
}

/** nginx as a proxy with one worker and a pool towards the backend. */
export async function startNginxProxy(
  folder: string,
  backend: number,
): Promise<Program> {
  const config = `${folder}/nginx-proxy.conf`;
  await Deno.writeTextFile(
    config,
    `daemon off; worker_processes 1; pid ${folder}/nginx-proxy.pid;
error_log ${folder}/nginx-proxy.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000;
  upstream pool { server 127.0.0.1:${backend}; keepalive 256; }
  server {
    listen 127.0.0.1:${PORTS.nginx.plain};
    listen 127.0.0.1:${PORTS.nginx.tls} ssl;
    ssl_certificate ${folder}/one.crt; ssl_certificate_key ${folder}/one.key;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
    location / {
      proxy_pass http://pool; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`,
  );
  return await start("nginx", ["-c", config], PORTS.nginx);
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
  bind 127.0.0.1:${PORTS.haproxy.plain}
  bind 127.0.0.1:${PORTS.haproxy.tls} ssl crt ${folder}/one.pem
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
    `listeners:
  - { name: web, address: "127.0.0.1:${PORTS.headrace.plain}" }
  - { name: tls, address: "127.0.0.1:${PORTS.headrace.tls}", tls: { certificates: [{ cert: one.crt, key: one.key }] } }
  - { name: several, address: "127.0.0.1:${PORTS.headrace.tlsSeveral}", tls: { certificates: [{ cert: one.crt, key: one.key }, { cert: two.crt, key: two.key }] } }
clusters: [{ name: pool, backends: [{ url: "http://127.0.0.1:${backend}" }] }]
workers: 1
log: { level: warn }
admin: { address: "127.0.0.1:${ADMIN}" }
`,
  );
  const main = new URL("../../main.ts", import.meta.url).pathname;
  return await start(
    Deno.execPath(),
    ["run", "-A", main, "--config", config],
    PORTS.headrace,
  );
}

async function start(
  command: string,
  args: readonly string[],
  ports: Ports,
): Promise<Program> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  await answers(ports.plain, "/small");
  return {
    pid: await workingPid(child.pid),
    ports,
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
