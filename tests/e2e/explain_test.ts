/**
 * `headrace explain` as people call it, and `/api/explain` of a living proxy.
 *
 * @module
 */
import { createAdminApp } from "../../core/admin/app.ts";
import type { Explanation } from "../../core/explain/explanation.ts";
import { createLog } from "../../core/observe/log.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { freePorts } from "../support/free_ports.ts";
import { runHeadrace } from "../support/headrace_process.ts";
import { HttpClient } from "../support/http_client.ts";
import { serveNamed } from "../support/named_backend.ts";
import { startProxy } from "../support/proxy.ts";
import { configWith } from "../support/proxy_with.ts";
import { HELLO, tlsSite } from "../support/tls_site.ts";

const [PORT = 0, TCP_PORT = 0] = freePorts(2);

const CONFIG = `
listeners:
  - { name: web, address: "127.0.0.1:${PORT}", trusted: ["10.0.0.0/8"] }
  - { name: db, address: "127.0.0.1:${TCP_PORT}", protocol: tcp, cluster: db }
products:
  - name: shop
    hosts: [shop.example.com, "*.shop.example.com"]
    rules:
      - when: 'req_path_prefix_in("/api/", false) && req_method_in("GET|POST")'
        cluster: api
      - when: 'req_path_in("/old", false)'
        redirect: { to: "/new", status: 308 }
      - cluster: rest
  - name: everything-else
    default: true
    rules: [{ respond: { status: 404, body: nothing } }]
clusters:
  - name: api
    balance: hash
    sticky: { cookie: HRS }
    breaker: { failures: 5, reset: 30s }
    subclusters:
      - name: east
        weight: 90
        backends:
          - { id: a1, url: "http://10.0.0.1:9001", weight: 2, maxConnections: 100 }
          - { id: a2, url: "http://10.0.0.2:9001", weight: 0 }
      - name: west
        weight: 10
        backends: [{ id: b1, url: "http://10.0.1.1:9001", backup: true }]
  - name: rest
    balance: random
    retries: { max: 0 }
    backends: [{ id: r1, url: "http://10.0.0.3:80" }, { id: r2, url: "http://10.0.0.4:80" }]
  - { name: db, backends: [{ id: d1, url: "tcp://10.0.0.5:5432" }] }
plugins:
  - { use: "builtin:headers", products: [shop], order: 5, options: { response: { set: { x-a: "1" } } } }
  - use: "${
  dataPlugin(
    `export default { name: "guard", setup: () => ({ handlers: { readRequestHeader() { throw new Error("It ran") }, sendResponseHeader() {} } }) };`,
  )
}"
`;

/** Runs `headrace explain` on the config; `args` begin with the URL. */
async function explain(args: readonly string[], text = CONFIG) {
  const path = await Deno.makeTempFile({ prefix: "headrace-explain-" });
  try {
    await Deno.writeTextFile(path, text);
    return await runHeadrace(["explain", path, ...args]);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("headrace explain: the whole way as text, though the ports are taken, exit 0", async () => {
  using _web = Deno.listen({ hostname: "127.0.0.1", port: PORT });
  const { code, stdout, stderr } = await explain([
    `http://eu.shop.example.com:${PORT}/api/x?y=1`,
    "--client",
    "10.1.2.3",
    "-H",
    "X-Forwarded-For: 192.0.2.7",
    "-H",
    "X-Headrace-Token: x",
  ]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout,
    `request    GET http://eu.shop.example.com/api/x?y=1, from 192.0.2.7 through a trusted proxy
listener   web (127.0.0.1:${PORT}): the URL leads to 127.0.0.1:${PORT}
product    shop: its host *.shop.example.com covers the request's
rules      1. yes  req_path_prefix_in("/api/", false) && req_method_in("GET|POST")  → cluster api
                yes  req_path_prefix_in("/api/", false)
                yes  req_method_in("GET|POST")
cluster    api: balance hash, hash of clientAddress "192.0.2.7"
           sticky cookie HRS: the request has none
backends   east, weight 90
           → a1  http://10.0.0.1:9001, weight 2, load 0 of 100, ready, checks up, breaker closed
             a2  http://10.0.0.2:9001, weight 0, load 0, ready, checks up, breaker closed, no candidate: its weight is 0
           west, weight 10
             b1  http://10.0.1.1:9001, weight 1, load 0, ready, checks up, breaker closed, backup, no candidate: others serve before a backup
pick       a1: hash would pick it next
retries    at most 3, of these 1 in another subcluster, after connect, reset, within 20 % of the requests; this request may be sent again
queue      0 of 1000 wait for a slot, each at most 5000 ms
outcome    sent to backend a1
handlers   readRequestHeader   guard (global, order 0)
           sendResponseHeader  guard (global, order 0), then headers (product, order 5)
note       No handler was run: any of them may change the request, its cluster or backend, or answer by itself.
`,
  );
});

Deno.test("headrace explain: which of Deno's TLS implementations a listener runs on, and why", async () => {
  await using s = await tlsSite();
  const listener = (name: string, port: number, tls: object) => ({
    name,
    address: `127.0.0.1:${port}`,
    tls: { certificates: s.single, ...tls },
  });
  const config = JSON.stringify({
    listeners: [
      listener("one", PORT, {}),
      listener("several", TCP_PORT, {
        certificates: s.certificates,
        verifyHost: true,
      }),
    ],
    products: HELLO,
    clusters: [{ name: "none", backends: [] }],
  });
  const url = (port: number) => [`https://127.0.0.1:${port}/`];
  const one = await explain(url(PORT), config);
  assertStringIncludes(
    one.stdout,
    "TLS by listenTls: nothing needs more than the runtime's own\n",
  );
  const several = await explain(url(TCP_PORT), config);
  assertStringIncludes(
    several.stdout,
    "TLS by node:tls: several certificates, verifyHost\n",
  );
  const { stdout } = await explain([...url(TCP_PORT), "--json"], config);
  assertEquals((JSON.parse(stdout) as Explanation).listener.tls, {
    runtime: "node:tls",
    reason: "several certificates, verifyHost",
  });
});

Deno.test("headrace explain --json: the same as data; -X and -H count", async () => {
  const run = async (...args: string[]): Promise<Explanation> => {
    const { code, stdout, stderr } = await explain([...args, "--json"]);
    assertEquals([code, stderr], [0, ""]);
    return JSON.parse(stdout);
  };
  const [old, other, post, tcp, upload] = await Promise.all([
    run("https://shop.example.com/old"),
    run(`http://127.0.0.1:${PORT}/`, "-H", "Host: unknown.example"),
    run("http://shop.example.com/api/x", "-X", "DELETE"),
    run(`tcp://localhost:${TCP_PORT}`),
    run("http://shop.example.com/api/x", "-d", "{}"),
  ]);
  assertEquals(old!.outcome, { kind: "redirect", to: "/new", status: 308 });
  assertEquals(old!.rules.map(({ matched }) => matched), [false, true]);
  assertEquals(old!.notes.length, 2);
  assertStringIncludes(old!.notes[1]!, "ends no TLS");

  assertEquals(other!.request?.host, "unknown.example");
  assertEquals(other!.product?.by, "default");
  assertEquals(other!.outcome, {
    kind: "respond",
    status: 404,
    why: "the rule says so",
  });

  assertEquals(post!.cluster?.name, "rest");
  assertEquals<unknown>(post!.outcome, { kind: "forward", backend: null });
  assertEquals<unknown>(post!.cluster?.pick, {
    subcluster: "default",
    backend: null,
    why: "chance decides among the candidates, by weight and load",
    waits: false,
  });

  assertEquals(upload!.request?.method, "POST");
  assertEquals(upload!.cluster?.name, "api");
  assertEquals(upload!.cluster?.retries.repeatable, false);

  assertEquals(tcp!.listener.name, "db");
  assertEquals(tcp!.outcome, { kind: "forward", backend: "d1" });
  assertEquals(tcp!.points.map(({ point }) => point), ["accept", "finish"]);
});

Deno.test("headrace explain: what describes no request is said, exit 2; a refused config, exit 1", async () => {
  const rows:
    readonly (readonly [number, string, readonly string[], string?])[] = [
      [2, "Usage: headrace explain FILE URL", []],
      [2, "must be http://", ["shop.example.com"]],
      [2, "-H must be 'name: value'", ["http://a/", "-H", "x"]],
      [2, "must be an IP address", ["http://a/", "--client", "a"]],
      [2, 'no listener called "no"', ["http://a/", "--listener", "no"]],
      [1, "lisseners", ["http://a/"], "lisseners: []"],
    ];
  await Promise.all(rows.map(async ([exit, text, args, config]) => {
    const { code, stdout, stderr } = await explain(args, config);
    assertEquals([text, code, stdout], [text, exit, ""]);
    assertStringIncludes(stderr, text);
  }));
});

Deno.test("/api/explain tells what a living proxy would do, and leaves no trace in it", async () => {
  await using a = serveNamed("a");
  await using b = serveNamed("b");
  await using proxy = await startProxy(JSON.stringify({
    ...JSON.parse(configWith({ backends: [a.url, b.url] })),
    workers: 1,
  }));
  const app = createAdminApp(proxy.supervisor, {
    token: undefined,
    hosts: [],
    log: createLog({ write() {} }),
  });
  const url = `http://localhost:${proxy.port()}/`;
  const explained = async () => {
    const answer = await app.request(
      `/api/explain?url=${encodeURIComponent(url)}`,
    );
    assertEquals(answer.status, 200);
    return await answer.json();
  };
  using client = await HttpClient.connect(proxy.port());
  const told: string[] = [];
  const served: string[] = [];
  for (let i = 0; i < 6; i++) {
    for (let asked = 0; asked < i; asked++) await explained();
    told.push((await explained()).outcome.backend);
    served.push((await client.get()).text);
  }
  assertEquals(told, ["a", "b", "a", "b", "a", "b"]);
  assertEquals(served, told);

  proxy.supervisor.changeBackend("a", { state: "drain" });
  const { listener, outcome, cluster } = await explained();
  assertEquals(listener.addresses, [`127.0.0.1:${proxy.port()}`]);
  assertEquals(listener.why, `the URL leads to 127.0.0.1:${proxy.port()}`);
  assertEquals(outcome.backend, "b");
  const [first] = cluster.subclusters[0].backends;
  assertEquals([first.candidate, first.why], [
    false,
    "an operator set it to drain",
  ]);
});

Deno.test("/api/explain is answered by one of several workers", async () => {
  await using a = serveNamed("a");
  await using proxy = await startProxy(JSON.stringify({
    ...JSON.parse(configWith({ backends: [a.url] })),
    workers: 2,
    log: { level: "error" },
  }));
  const app = createAdminApp(proxy.supervisor, {
    token: undefined,
    hosts: [],
    log: createLog({ write() {} }),
  });
  const post = async (body: object) => {
    const answer = await app.request("/api/explain", {
      method: "POST",
      body: JSON.stringify(body),
    });
    return [answer.status, await answer.json()];
  };
  const [status, { outcome }] = await post({
    url: "http://a/",
    headers: { "x-a": "1" },
  });
  assertEquals([status, outcome], [200, { kind: "forward", backend: "a" }]);
  assertEquals(await post({ url: "http://a/", listener: "no" }), [
    400,
    { error: 'The config has no listener called "no"' },
  ]);
});
