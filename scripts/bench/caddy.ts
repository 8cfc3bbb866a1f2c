/**
 * Caddy on one core, without its admin interface, logs and automatic HTTPS,
 * with a pool towards the backend.
 *
 * @module
 */
import { type Launch, logOf, type Site } from "./setup.ts";

/** Writes its config; how it is started; undefined for TCP, which it has not. */
export async function launchCaddy(site: Site): Promise<Launch | undefined> {
  if (site.setup === "relay" || site.setup === "ping") return undefined;
  const file = `${site.folder}/caddy.json`;
  await Deno.writeTextFile(file, JSON.stringify(configOf(site), null, 2));
  return {
    command: "caddy",
    args: ["run", "--config", file],
    greets: true,
    env: {
      GOMAXPROCS: "1",
      HOME: site.folder,
      XDG_DATA_HOME: site.folder,
      XDG_CONFIG_HOME: site.folder,
    },
  };
}

function configOf(site: Site): object {
  const { setup, folder, ports } = site;
  const logged = setup === "rules";
  const server = (port: number) => ({
    listen: [`127.0.0.1:${port}`],
    automatic_https: { disable: true },
    routes: logged ? rulesOf(site) : [{ handle: [proxyTo(site)] }],
    ...(logged ? { logs: {} } : {}),
  });
  return {
    admin: { disabled: true },
    logging: {
      logs: {
        default: { level: "ERROR" },
        ...(logged ? { access: accessLog(folder) } : {}),
      },
    },
    apps: {
      http: {
        servers: {
          plain: server(ports.plain),
          ...(setup === "web"
            ? { tls: { ...server(ports.tls), tls_connection_policies: [{}] } }
            : {}),
        },
      },
      tls: {
        certificates: {
          load_files: [{
            certificate: `${folder}/one.crt`,
            key: `${folder}/one.key`,
          }],
        },
      },
    },
  };
}

function accessLog(folder: string): object {
  return {
    level: "INFO",
    writer: { output: "file", filename: logOf(folder, "caddy"), roll: false },
    include: ["http.log.access"],
  };
}

function proxyTo({ backend }: Site): object {
  return {
    handler: "reverse_proxy",
    upstreams: [{ dial: backend }],
    // 32 are kept by default, which is fewer than are at work.
    transport: {
      protocol: "http",
      keep_alive: { max_idle_conns_per_host: 256 },
    },
  };
}

function rulesOf(site: Site): object[] {
  const proxy = proxyTo(site);
  return [
    {
      handle: [{
        handler: "headers",
        request: { set: { "X-Real-IP": ["{http.request.remote.host}"] } },
        response: {
          deferred: true,
          set: { "Strict-Transport-Security": ["max-age=31536000"] },
          delete: ["ETag"],
        },
      }],
    },
    {
      match: [{ path: ["/admin/*"], method: ["POST", "PUT"] }],
      handle: [proxy],
      terminal: true,
    },
    {
      match: [{ header: { "X-Tenant": ["blue"] } }],
      handle: [proxy],
      terminal: true,
    },
    {
      match: [{ path: ["/*"], method: ["GET", "HEAD"] }],
      handle: [proxy],
      terminal: true,
    },
  ];
}
