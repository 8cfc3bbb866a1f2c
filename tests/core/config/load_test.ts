import type { Config } from "../../../core/config/config.ts";
import { loadConfig } from "../../../core/config/load.ts";
import type { ConfigSource, LoadOptions } from "../../../core/config/load.ts";
import type { Problem } from "../../../core/config/problem.ts";
import { assert, assertEquals } from "../../support/assert.ts";

const LISTENER = `
listeners:
  - name: web
    address: "127.0.0.1:8080"
`;
const CLUSTER = `
clusters:
  - name: app
    backends: [{ url: "http://127.0.0.1:9001" }]
`;
const MINIMAL = LISTENER + CLUSTER;

type Given = Partial<ConfigSource> & LoadOptions;

async function load(text: string, given: Given = {}) {
  const { checkCondition, ...source } = given;
  return await loadConfig(
    { path: "/etc/headrace/proxy.yaml", text, env: () => undefined, ...source },
    checkCondition === undefined ? {} : { checkCondition },
  );
}

async function configOf(text: string, given?: Given): Promise<Config> {
  const { config, problems } = await load(text, given);
  assertEquals(problems, []);
  assert(config !== undefined);
  return config;
}

async function problemsOf(
  text: string,
  given?: Given,
): Promise<readonly Problem[]> {
  const { config, problems } = await load(text, given);
  assertEquals(config, undefined);
  return problems;
}

Deno.test("loadConfig fills in every default of a minimal file", async () => {
  const { listeners: [listener], clusters: [cluster], ...rest } =
    await configOf(MINIMAL);
  assertEquals(listener?.limits.connections, 10_000);
  assertEquals(listener?.limits.connectionsPerAddress, undefined);
  assertEquals(listener?.limits.headerBytes, 16 * 1024);
  assertEquals(listener?.limits.targetBytes, 8 * 1024);
  assertEquals(listener?.socket, {
    noDelay: true,
    keepAlive: true,
    backlog: 4096,
  });
  assertEquals(listener?.timeouts, {
    handshake: 10_000,
    header: 10_000,
    body: 30_000,
    write: 30_000,
    keepAlive: 60_000,
    tunnel: 3_600_000,
  });
  assertEquals(cluster?.timeouts, {
    connect: 2_000,
    response: 60_000,
    read: 60_000,
  });
  assertEquals(cluster?.keepAlive, { maxIdle: 256, idle: 60_000 });
  assertEquals([cluster?.balance, cluster?.hostHeader], [
    "roundrobin",
    "client",
  ]);
  assertEquals(rest.workers, "auto");
  assertEquals(rest.log, { level: "info", format: "json" });
  assertEquals(rest.drain, { timeout: 30_000 });
  assertEquals(rest.admin.address, {
    kind: "tcp",
    hostname: "127.0.0.1",
    port: 9090,
    lastPort: 9090,
  });
});

Deno.test("loadConfig makes a default product for the only cluster", async () => {
  const { products } = await configOf(MINIMAL);
  assertEquals(products, [{
    name: "default",
    hosts: [],
    default: true,
    rules: [{
      when: undefined,
      cluster: "app",
      timeouts: { response: undefined },
    }],
  }]);
});

Deno.test("loadConfig makes no product where all listeners speak tcp", async () => {
  const { products } = await configOf(
    `${LISTENER}    protocol: tcp\n    cluster: app\n${CLUSTER}`,
  );
  assertEquals(products, []);
});

Deno.test("loadConfig makes backends one subcluster called default, with ids", async () => {
  const { clusters } = await configOf(MINIMAL);
  const [subcluster] = clusters[0]?.subclusters ?? [];
  assertEquals([subcluster?.name, subcluster?.weight], ["default", 1]);
  assertEquals(subcluster?.backends[0]?.id, "127.0.0.1:9001");
  assertEquals(subcluster?.backends[0]?.weight, 1);
});

Deno.test("loadConfig's config can be sent to a worker", async () => {
  const config = await configOf(MINIMAL);
  assertEquals(structuredClone(config), config);
});

Deno.test("loadConfig keeps the default target inside a smaller head", async () => {
  const { listeners } = await configOf(
    `${LISTENER}    limits: { headerBytes: 4KiB }\n${CLUSTER}`,
  );
  assertEquals(listeners[0]?.limits.targetBytes, 4096);
});

Deno.test("loadConfig types expanded text by the key that holds it", async () => {
  const env = (name: string) =>
    new Map([["N", "7"], ["YES", "true"], ["T", "5s"], ["S", "1MiB"]])
      .get(name);
  const { listeners: [listener] } = await configOf(
    `${LISTENER}    hops: "\${N}"
    socket: { noDelay: "\${YES}" }
    timeouts: { header: "\${T}" }
    limits: { bodyBytes: "\${S}" }
${CLUSTER}`,
    { env },
  );
  assertEquals(listener?.hops, 7);
  assertEquals(listener?.socket.noDelay, true);
  assertEquals(listener?.timeouts.header, 5_000);
  assertEquals(listener?.limits.bodyBytes, 2 ** 20);
});

Deno.test("loadConfig takes an empty token for none", async () => {
  const { admin } = await configOf(
    `${MINIMAL}\nadmin: { token: "\${TOKEN:-}" }\n`,
  );
  assertEquals(admin.token, undefined);
});

Deno.test("loadConfig reads ${file:…} relative to the config's folder", async () => {
  const asked: string[] = [];
  const readFile = (path: string) => {
    asked.push(path);
    return Promise.resolve("t0ken\n");
  };
  const { admin } = await configOf(
    `${MINIMAL}\nadmin: { token: "\${file:secrets/token}" }\n`,
    { readFile },
  );
  assertEquals(admin.token, "t0ken");
  assertEquals(asked, ["/etc/headrace/secrets/token"]);
});

Deno.test("loadConfig leaves plugin options as they are", async () => {
  const { plugins } = await configOf(
    `${MINIMAL}
plugins:
  - use: "builtin:headers"
    options: { count: 5, flag: true, text: "5", none: null, list: [1.5] }
`,
  );
  assertEquals(plugins[0]?.options, {
    count: 5,
    flag: true,
    text: "5",
    none: null,
    list: [1.5],
  });
});

Deno.test("loadConfig gives each condition to checkCondition", async () => {
  const asked: string[] = [];
  await configOf(
    `${LISTENER}
products:
  - name: shop
    default: true
    rules:
      - when: 'default_t()'
        cluster: app
      - when: |
          req_path_in("/a", false)
          || default_t()
        cluster: app
${CLUSTER}`,
    {
      checkCondition: (text) => {
        asked.push(text);
        return undefined;
      },
    },
  );
  assertEquals(asked, [
    "default_t()",
    'req_path_in("/a", false)\n|| default_t()\n',
  ]);
});

Deno.test("loadConfig tells line, column, path, value and suggestion of a problem", async () => {
  const problems = await problemsOf(
    'listeners:\n  - name: web\n    address: "127.0.0.1:8080"\n    protocol: htpp\n' +
      CLUSTER,
  );
  assertEquals(problems, [{
    file: "/etc/headrace/proxy.yaml",
    line: 4,
    column: 15,
    path: "listeners[0].protocol",
    message: "expected http or tcp",
    value: "htpp",
    suggestion: "http",
  }]);
});

Deno.test("loadConfig reports problems in the order of the file", async () => {
  const problems = await problemsOf(
    `wrokers: 2\n${LISTENER}    hops: 0\n${CLUSTER}    dialer: mine\n`,
  );
  assertEquals(problems.map(({ path }) => path), [
    "wrokers",
    "listeners[0].hops",
    "clusters[0].dialer",
  ]);
});

Deno.test("loadConfig reads carriage returns and a byte order mark", async () => {
  await configOf(`\uFEFF${MINIMAL.replaceAll("\n", "\r\n")}`);
  const [problem] = await problemsOf(
    `${MINIMAL}wrokers: 2`.replaceAll("\n", "\r\n"),
  );
  assertEquals([problem?.line, problem?.column], [9, 1]);
});

Deno.test("loadConfig resolves anchors and merges", async () => {
  const { listeners } = await configOf(
    `listeners:
  - &base
    name: web
    address: "127.0.0.1:8080"
    timeouts: { header: 3s }
  - <<: *base
    name: web2
    address: "127.0.0.1:8081"
${CLUSTER}`,
  );
  assertEquals(listeners.map(({ timeouts }) => timeouts.header), [3000, 3000]);
});
