/**
 * The programs that are compared: a backend, and before it proxies that end TLS
 * with the same certificate.
 *
 * @module
 */
import { writePairs } from "../../tests/support/certificate_files.ts";
import { makeAuthority } from "../../tests/support/certificates.ts";
import { freePorts } from "../../tests/support/free_ports.ts";

/** Files of the backend by their names, with their bytes. */
export type Files = Readonly<Record<string, number>>;

/** What runs. */
export interface Programs extends AsyncDisposable {
  /** Ports that speak TLS, by the proxy's name; HAProxy first. */
  readonly ports: Readonly<Record<string, number>>;
}

/** Starts all of them; resolves when they listen. */
export async function startPrograms(files: Files): Promise<Programs> {
  await using stack = new AsyncDisposableStack();
  const folder = await makeFolder(files);
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const [backend, haproxy, nginx, one, several, admin] = freePorts(6);
  const start = async (command: string, ports: number[], args: string[]) => {
    stack.defer(launch(command, args));
    for (const port of ports) await listens(port);
  };
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${folder}/${name}`, text);
    return `${folder}/${name}`;
  };
  await start("nginx", [backend!], [
    "-c",
    await write("backend.conf", nginxBackend(folder, backend!)),
  ]);
  await start("haproxy", [haproxy!], [
    "-db",
    "-f",
    await write("haproxy.cfg", haproxyConfig(folder, haproxy!, backend!)),
  ]);
  await start("nginx", [nginx!], [
    "-c",
    await write("proxy.conf", nginxProxy(folder, nginx!, backend!)),
  ]);
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const ports = { one: one!, several: several!, admin: admin! };
  await start(Deno.execPath(), [one!, several!], [
    "run",
    "-A",
    main,
    "--config",
    await write("headrace.yaml", headraceConfig(ports, backend!)),
  ]);
  const owned = stack.move();
  return {
    ports: {
      HAProxy: haproxy!,
      nginx: nginx!,
      Headrace: one!,
      "Headrace, node:tls": several!,
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function makeFolder(files: Files): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "headrace-tls-latency-" });
  // nginx's worker runs as nobody, temporary folders are the owner's alone.
  await Deno.chmod(folder, 0o755);
  const ca = await makeAuthority();
  const one = await ca.issue({ names: ["one.test"], ips: ["127.0.0.1"] });
  const two = await ca.issue({ names: ["two.test"] });
  await writePairs(folder, { one, two });
  await Deno.writeTextFile(`${folder}/one.pem`, one.cert + one.key);
  await Deno.mkdir(`${folder}/www`);
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/www/${name}`, "x".repeat(bytes));
  }
  return folder;
}

function nginxBackend(folder: string, port: number): string {
  return `daemon off; worker_processes 1; pid ${folder}/backend.pid;
error_log ${folder}/backend.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; open_file_cache max=10;
  server { listen 127.0.0.1:${port}; root ${folder}/www; }
}
`;
}

function nginxProxy(folder: string, port: number, backend: number): string {
  return `daemon off; worker_processes 1; pid ${folder}/proxy.pid;
error_log ${folder}/proxy.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000;
  upstream pool { server 127.0.0.1:${backend}; keepalive 16; }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/one.crt; ssl_certificate_key ${folder}/one.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass http://pool; proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}

function haproxyConfig(folder: string, port: number, backend: number): string {
  return `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind 127.0.0.1:${port} ssl crt ${folder}/one.pem
  default_backend pool
backend pool
  http-reuse always
  server nginx 127.0.0.1:${backend}
`;
}

/** Several certificates take `node:tls`. */
function headraceConfig(
  ports: { readonly one: number; several: number; admin: number },
  backend: number,
): string {
  const listener = (name: string, port: number, certificates: string[]) => ({
    name,
    address: `127.0.0.1:${port}`,
    tls: {
      certificates: certificates.map((name) => ({
        cert: `${name}.crt`,
        key: `${name}.key`,
      })),
    },
  });
  // YAML takes JSON as it is.
  return JSON.stringify({
    listeners: [
      listener("one", ports.one, ["one"]),
      listener("several", ports.several, ["one", "two"]),
    ],
    clusters: [{
      name: "pool",
      backends: [{ url: `http://127.0.0.1:${backend}` }],
    }],
    workers: 1,
    log: { level: "warn" },
    admin: { address: `127.0.0.1:${ports.admin}` },
  });
}

/** Starts a program; what is returned ends it. */
function launch(command: string, args: string[]): () => Promise<void> {
  const child = new Deno.Command(command, {
    args,
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return async () => {
    child.kill("SIGTERM");
    await child.status;
  };
}

/** Waits until a port takes connections. Throws after ten seconds. */
async function listens(port: number): Promise<void> {
  const until = performance.now() + 10_000;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (thrown) {
      if (performance.now() > until) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
