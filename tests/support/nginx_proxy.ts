/**
 * nginx before another backend, in a process of its own: it reads requests by
 * its own parser and sends on what it has understood.
 *
 * @module
 */
import { eventually } from "./eventually.ts";
import { freePorts } from "./free_ports.ts";

/** A line of its access log. */
export interface NginxEntry {
  /** Its name for the request: its response's x-nginx-id. */
  readonly id: string;
  /** The status that it answered. */
  readonly status: number;
  /** The status of its backend, undefined where it asked none. */
  readonly backendStatus: number | undefined;
  /** The request's x-transaction; empty where nginx did not come as far as to its fields. */
  readonly transaction: string;
  /** The request line as it came, as latin1. */
  readonly line: string;
}

/** A running one. */
export interface NginxProxy extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
  /** What it has logged so far. */
  entries(): Promise<readonly NginxEntry[]>;
}

/** Starts it before the backend at a port of 127.0.0.1. */
export async function startNginx(backendPort: number): Promise<NginxProxy> {
  const dir = await Deno.makeTempDir({ prefix: "headrace-nginx-" });
  const [port = 0] = freePorts(1);
  await Deno.writeTextFile(
    `${dir}/nginx.conf`,
    configOf(dir, port, backendPort),
  );
  const child = new Deno.Command("nginx", {
    args: ["-p", dir, "-c", `${dir}/nginx.conf`, "-e", `${dir}/error.log`],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  await eventually("nginx", () => ended || accepts(port));
  if (ended) {
    throw new Error(
      `nginx ended: ${await Deno.readTextFile(`${dir}/error.log`)}`,
    );
  }
  const version = new TextDecoder().decode(
    (await new Deno.Command("nginx", { args: ["-v"] }).output()).stderr,
  ).trim();
  return {
    url: `http://127.0.0.1:${port}`,
    version,
    async entries() {
      const text = await Deno.readTextFile(`${dir}/access.log`);
      return text.split("\n").slice(0, -1).map(entryOf);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await status;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Nothing of it is lenient; limits that Headrace does not have are out of the way. */
function configOf(dir: string, port: number, backendPort: number): string {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${dir}/${name};`).join("\n  ");
  return `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log info;
events { worker_connections 1024; }
http {
  log_format decisions escape=none '$request_id|$status|$upstream_status|$http_x_transaction|$request';
  access_log ${dir}/access.log decisions;
  ${temp}
  client_max_body_size 0;
  client_body_buffer_size 1m;
  large_client_header_buffers 8 64k;
  add_header x-nginx-id $request_id always;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  underscores_in_headers on;
  ignore_invalid_headers off;
  upstream recorder { server 127.0.0.1:${backendPort}; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://recorder;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }
}
`;
}

function entryOf(line: string): NginxEntry {
  const [id = "", status, backendStatus, transaction = "", ...rest] = line
    .split("|");
  return {
    id,
    status: Number(status),
    backendStatus: /^\d+$/.test(backendStatus ?? "")
      ? Number(backendStatus)
      : undefined,
    transaction: transaction === "-" ? "" : transaction,
    line: rest.join("|"),
  };
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.ConnectionRefused) return false;
    throw thrown;
  }
}
