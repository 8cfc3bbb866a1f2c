/**
 * The configs of a soak: two that differ in harmless and in real ways, and one
 * that must be refused.
 *
 * @module
 */
import type { BackendPorts } from "./backend_main.ts";

/** What configs are made of. */
export interface ConfigParts {
  /** Where certificates and logs lie. */
  readonly folder: string;
  readonly workers: number;
  /** Whether cached objects lie on disk, too. */
  readonly disk: boolean;
  /** Backends that never die. */
  readonly calm: BackendPorts;
  /** Backends that are killed. */
  readonly mortal: BackendPorts;
  /** WebSocket backends of session mode. */
  readonly websocket: readonly number[];
  /** A port for a listener that comes and goes. */
  readonly extra: number;
}

/** Which one. */
export type Variant = "first" | "second" | "refused";

const PLUGIN = new URL("./plugin.ts", import.meta.url).href;

/** The config's text. */
export function configText(parts: ConfigParts, variant: Variant): string {
  const second = variant === "second";
  return JSON.stringify({
    listeners: listeners(parts, second),
    products: products(second),
    clusters: clusters(parts, second),
    plugins: plugins(parts, second),
    cache: {
      memory: "4MiB",
      ...(parts.disk && {
        disk: { path: `${parts.folder}/soak-cache`, size: "8MiB" },
      }),
      purgeFrom: ["127.0.0.1/32"],
      rules: [
        { when: '!req_host_in("cache.test")', bypass: true },
        ...(second ? [{ when: "default_t()", negative: "1s" }] : []),
      ],
    },
    admin: { address: "127.0.0.1:0" },
    workers: parts.workers,
    log: { level: "info", format: "json" },
    drain: { timeout: "5s" },
    ...(variant === "refused" && { nobodyKnowsThis: true }),
  });
}

function listeners({ folder, extra }: ConfigParts, second: boolean): object[] {
  const certificate = {
    cert: `${folder}/site.crt`,
    key: `${folder}/site.key`,
  };
  const common = {
    address: "127.0.0.1:0",
    trusted: ["127.0.0.1/32"],
    limits: { connections: 10_000 },
    timeouts: {
      handshake: "5s",
      header: "4s",
      body: "8s",
      write: "15s",
      keepAlive: second ? "61s" : "60s",
    },
  };
  return [
    { ...common, name: "web" },
    {
      ...common,
      name: "deno-tls",
      tls: { certificates: [certificate], alpn: ["http/1.1"] },
    },
    {
      ...common,
      name: "node-tls",
      // It takes node:tls.
      tls: {
        certificates: [certificate],
        strictSni: true,
        alpn: ["http/1.1"],
      },
    },
    {
      name: "tcp",
      address: "127.0.0.1:0",
      protocol: "tcp",
      cluster: "tcp",
    },
    ...(second
      ? [{ ...common, name: "extra", address: `127.0.0.1:${extra}` }]
      : []),
  ];
}

function products(second: boolean): object[] {
  const hosts = ["calm", "mortal", "slots", "secure", "buffer", "faulty"];
  return [
    ...hosts.map((name) => ({
      name,
      hosts: [`${name}.test`, ...(second ? [`*.${name}.test`] : [])],
      rules: [
        ...(second
          ? [{
            when: 'req_path_prefix_in("/never", false)',
            respond: { status: 404, body: "never\n" },
          }]
          : []),
        {
          cluster: name,
          ...(name === "faulty" && { timeouts: { response: "1s" } }),
        },
      ],
    })),
    { name: "cache", hosts: ["cache.test"], rules: [{ cluster: "calm" }] },
    { name: "plugins", hosts: ["plugins.test"], rules: [{ cluster: "calm" }] },
    {
      name: "websocket",
      default: true,
      rules: [
        { when: 'req_path_in("/calm", false)', cluster: "tunnel" },
        { when: 'req_path_in("/mortal", false)', cluster: "tunnel-mortal" },
        { cluster: "websocket" },
      ],
    },
  ];
}

function clusters(parts: ConfigParts, second: boolean): object[] {
  const { calm, mortal, websocket, folder } = parts;
  const at = (id: string, port: number, more = {}) => ({
    id,
    url: `http://127.0.0.1:${port}`,
    ...more,
  });
  // Idle connections must be gone soon once the load is over.
  const common = { keepAlive: { maxIdle: 64, idle: "5s" } };
  // Dead backends refuse at once; those that are slow on a busy machine are not down.
  const health = { path: "/bytes/1/1", interval: "1s", timeout: "5s" };
  return [
    {
      ...common,
      name: "calm",
      balance: second ? "leastconn" : "roundrobin",
      backends: [
        at("calm-0", calm.http, { weight: second ? 3 : 1 }),
        ...(second ? [at("calm-1", calm.spare)] : []),
      ],
    },
    {
      ...common,
      name: "mortal",
      health,
      passiveHealth: { failures: 3, coolDown: "1s" },
      retries: {
        max: 2,
        causes: ["connect", "reset", "503"],
        budget: "50%",
        bufferBytes: "256KiB",
      },
      backends: [
        at("mortal-0", mortal.http),
        at("mortal-1", mortal.spare),
        at("mortal-2", calm.spare, { weight: second ? 2 : 1 }),
      ],
    },
    {
      ...common,
      name: "slots",
      queue: { size: 100, timeout: "10s" },
      backends: [at("slots-0", calm.http, { maxConnections: second ? 3 : 2 })],
    },
    {
      ...common,
      name: "secure",
      tls: { ca: `${folder}/ca.crt`, serverName: "soak.test" },
      backends: [{ id: "secure-0", url: `https://127.0.0.1:${calm.tls}` }],
    },
    {
      ...common,
      name: "buffer",
      requestBuffer: { bytes: "64KiB", disk: "16MiB" },
      backends: [at("buffer-0", calm.http)],
    },
    {
      ...common,
      name: "faulty",
      retries: { max: 1 },
      backends: [at("faulty-0", calm.http), at("faulty-1", calm.spare)],
    },
    {
      name: "tcp",
      backends: [{ id: "tcp-0", url: `tcp://127.0.0.1:${calm.tcp}` }],
    },
    {
      ...common,
      name: "websocket",
      websocket: {
        mode: "session",
        pingInterval: "5s",
        drain: second ? "9s" : "10s",
      },
      backends: websocket.slice(0, second ? -1 : undefined)
        .map((port, i) => at(`websocket-${i}`, port)),
    },
    {
      ...common,
      name: "tunnel",
      websocket: { mode: "tunnel" },
      backends: [at("tunnel-0", calm.websocket)],
    },
    {
      ...common,
      name: "tunnel-mortal",
      websocket: { mode: "tunnel" },
      backends: [at("tunnel-1", mortal.websocket)],
    },
  ];
}

function plugins({ folder }: ConfigParts, second: boolean): object[] {
  const only = { products: ["plugins"] };
  return [
    {
      use: "builtin:access-log",
      order: -100,
      options: {
        format: "json",
        path: `${folder}/access.log`,
        rotate: { bytes: "2MiB", keep: 2 },
      },
    },
    {
      use: "builtin:request-id",
      order: -50,
      options: { accept: "trusted" },
    },
    {
      use: "builtin:http-code",
      options: { detail: second ? "class" : "code" },
    },
    {
      use: "builtin:rate-limit",
      ...only,
      options: {
        rules: [{
          name: "client",
          rate: { requests: second ? 20_000 : 10_000, per: "1s" },
          concurrent: 1_000,
        }],
      },
    },
    {
      use: "builtin:cors",
      ...only,
      options: { origins: ["https://app.test"], methods: ["GET", "PUT"] },
    },
    {
      use: "builtin:headers",
      ...only,
      options: {
        request: { set: { "X-Real-IP": "%{client_address}" } },
        response: { set: { "X-Soak": second ? "b" : "a" } },
      },
    },
    {
      use: "builtin:compress",
      ...only,
      options: { codings: ["gzip"], minBytes: second ? 512 : 1_024 },
    },
    {
      use: "builtin:mirror",
      ...only,
      order: -60,
      options: { cluster: "calm", share: 0.05 },
    },
    { use: PLUGIN, ...only, options: { key: second ? 90 : 45 } },
  ];
}
