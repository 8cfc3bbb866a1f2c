/**
 * nginx with one worker: as a proxy with a pool towards the backend, and as the
 * backend of all.
 *
 * @module
 */
import {
  type Launch,
  logOf,
  MAX_CONNECTIONS,
  type Place,
  type Site,
} from "./setup.ts";

/** The backend: files, sent by the kernel. */
export async function launchBackend(
  { folder, ports }: Place,
): Promise<Launch> {
  return await launch(folder, {
    name: "nginx",
    body: `http {
  access_log off; keepalive_requests 100000000; open_file_cache max=10;
  sendfile on; tcp_nopush on;
  server {
    listen 127.0.0.1:${ports.files} backlog=4096;
    root ${folder}/www;
  }
}`,
  });
}

/** The proxy; undefined for TCP where this nginx has no module for it. */
export async function launchNginx(site: Site): Promise<Launch | undefined> {
  const { setup, folder } = site;
  if (setup !== "relay" && setup !== "ping") {
    return await launch(folder, { name: "nginx-proxy", body: httpOf(site) });
  }
  const head = await loadingStream();
  if (head === undefined) return undefined;
  return await launch(folder, {
    name: "nginx-proxy",
    head,
    body: `stream {
  server {
    listen 127.0.0.1:${site.ports.plain} backlog=4096;
    proxy_pass ${site.backend};
  }
}`,
  });
}

/** A config's parts. */
interface Parts {
  readonly name: string;
  /** What loads modules. */
  readonly head?: string;
  readonly body: string;
}

async function launch(
  folder: string,
  { name, head = "", body }: Parts,
): Promise<Launch> {
  const file = `${folder}/${name}.conf`;
  await Deno.writeTextFile(
    file,
    `${head}
daemon off; worker_processes 1; pid ${folder}/${name}.pid;
worker_rlimit_nofile ${MAX_CONNECTIONS + 64};
error_log ${folder}/${name}.log;
events { worker_connections ${MAX_CONNECTIONS}; }
${body}
`,
  );
  return { command: "nginx", args: ["-c", file], forks: true };
}

function httpOf(site: Site): string {
  const { setup, folder, ports } = site;
  return `http {
  ${
    setup === "rules"
      ? `access_log ${logOf(folder, "nginx")} combined buffer=64k flush=1s;`
      : "access_log off;"
  }
  keepalive_requests 100000000;
  upstream pool { server ${site.backend}; keepalive 256; }
  upstream other { server ${site.backend}; keepalive 256; }
  map $http_x_tenant $target { default pool; blue other; }
  server {
    listen 127.0.0.1:${ports.plain} backlog=4096;
    ${setup === "web" ? tlsOf(site) : ""}
    client_max_body_size 0; proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $remote_addr;
    ${setup === "rules" ? RULES : "location / { proxy_pass http://pool; }"}
  }
}`;
}

function tlsOf({ folder, ports }: Site): string {
  return `listen 127.0.0.1:${ports.tls} ssl backlog=4096;
    ssl_certificate ${folder}/one.crt; ssl_certificate_key ${folder}/one.key;
    ssl_protocols TLSv1.2 TLSv1.3;`;
}

/** The same as the others' rules, as nginx has them: locations, and a map for the field. */
const RULES = `proxy_set_header X-Real-IP $remote_addr;
    add_header Strict-Transport-Security max-age=31536000;
    proxy_hide_header ETag;
    location ^~ /admin/ { proxy_pass http://other; }
    location / { proxy_pass http://$target; }`;

/** What loads the TCP module; empty where it is built in, undefined where it is not there. */
async function loadingStream(): Promise<string | undefined> {
  const { stderr } = await new Deno.Command("nginx", { args: ["-V"] }).output();
  const text = new TextDecoder().decode(stderr);
  if (!text.includes("--with-stream=dynamic")) {
    return /--with-stream(\s|$)/.test(text) ? "" : undefined;
  }
  const folder = /--modules-path=(\S+)/.exec(text)?.[1];
  const file = `${folder}/ngx_stream_module.so`;
  try {
    await Deno.stat(file);
    return `load_module ${file};`;
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    return undefined;
  }
}
