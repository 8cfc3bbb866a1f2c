/**
 * X-Headrace-Explain: what a client gets told of its own request, who may ask,
 * and that nobody behind here hears of it.
 *
 * @module
 */
import { createAdminApp } from "../../core/admin/app.ts";
import { createLog } from "../../core/observe/log.ts";
import type { TraceReport } from "../../core/session/trace_report.ts";
import { verdicts } from "../../core/verdict.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { serveNamed } from "../support/named_backend.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { configWith, type ProxyWith } from "../support/proxy_with.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { serveRaw } from "../support/raw_backend.ts";
import { RawClient } from "../support/raw_client.ts";
import { fieldValues, type RawResponse } from "../support/raw_responses.ts";

const TOKEN = "s3cret";

/** Starts it with an admin token, or others of admin's keys. */
function start(parts: ProxyWith, admin: object = { token: TOKEN }) {
  return startProxy(
    JSON.stringify({ ...JSON.parse(configWith(parts)), admin }),
  );
}

/** Sends a GET with these lines of a head on a connection of its own. */
async function ask(
  port: number,
  lines: readonly string[],
  target = "/",
): Promise<RawResponse> {
  using client = await RawClient.connect(port);
  const head = [`GET ${target} HTTP/1.1`, "Host: example.com", ...lines];
  await client.send(`${head.join("\r\n")}\r\n\r\n`);
  return await client.response();
}

const ASKING = ["X-Headrace-Explain: 1", `X-Headrace-Token: ${TOKEN}`];

/** What the response's head tells; undefined where nothing. */
function toldIn({ head }: RawResponse): TraceReport | undefined {
  const [field] = fieldValues(head, "x-headrace-explain");
  return field === undefined ? undefined : JSON.parse(field);
}

/** What is told once the transaction is over. */
async function toldLater(
  { supervisor }: TestProxy,
  id: string,
): Promise<TraceReport> {
  return await eventually("the transaction's end", async () => {
    const trace = await supervisor.trace(id);
    return trace?.state === "closed" && trace;
  });
}

function pointsOf({ steps }: TraceReport): string[] {
  return steps.flatMap((step) => "point" in step ? [step.point] : []);
}

Deno.test("a trace tells points, handlers, verdicts, attempts and timings", async () => {
  await using backend = serveNamed("b");
  const [dead] = freePorts(1);
  const failing = () => {
    throw new Error("on purpose");
  };
  await using proxy = await start({
    backends: [`http://127.0.0.1:${dead}`, backend.url],
    cluster: { balance: "first" },
    products: [
      {
        name: "shop",
        hosts: ["example.com"],
        rules: [
          { when: 'req_path_in("/other", false)', cluster: "main" },
          { cluster: "main" },
        ],
      },
    ],
    plugins: [
      {
        ...handlersPlugin("failing", { beforeLocation: failing }),
        onError: "ignore",
      },
      {
        ...handlersPlugin("late", {
          foundProduct: async (request) => {
            await new Promise((resolve) => setTimeout(resolve, 2));
            request.transaction.on("afterLocation", () => undefined);
          },
          readResponse: () => verdicts.finish(),
        }),
        products: ["shop"],
      },
      handlersPlugin("global", {
        readRequestHeader: (request) => {
          request.session.on("foundProduct", () => undefined);
        },
        foundProduct: () => undefined,
      }),
    ],
  });
  const response = await ask(proxy.port(), ASKING, "/x?y=1");
  assertEquals([response.status, response.body], [200, "b"]);
  const early = toldIn(response)!;
  const trace = await toldLater(proxy, early.id);

  const { status, listener, product, rule, cluster, method, host, target } =
    trace;
  assertEquals(
    [status, listener, product, rule, cluster, method, host, target],
    [200, "web", "shop", 2, "main", "GET", "example.com", "/x?y=1"],
  );
  assertEquals([trace.client, trace.error], ["127.0.0.1", undefined]);
  assertEquals(pointsOf(trace), [
    "readRequestHeader",
    "beforeLocation",
    "foundProduct",
    "afterLocation",
    "cacheLookupComplete",
    ...["forward", "resolve"],
    ...["forward", "resolve", "sendRequestHeader", "readResponseHeader"],
    "readResponse",
    "sendResponseHeader",
    "requestFinish",
    "transactionClose",
  ]);
  const handlers = trace.steps.flatMap((step) =>
    "point" in step && step.handlers !== undefined
      ? [[
        step.point,
        ...step.handlers.map(({ plugin, scope, error }) =>
          `${plugin} ${scope}${error === undefined ? "" : ` ${error.code}`}`
        ),
        ...step.verdict === undefined ? [] : [`= ${step.verdict}`],
      ]]
      : []
  );
  assertEquals(handlers, [
    ["readRequestHeader", "global global"],
    ["beforeLocation", "failing global handler_error"],
    ["foundProduct", "global global", "late product", "global session"],
    ["afterLocation", "late transaction"],
    ["readResponse", "late product", "= finish"],
  ]);
  const found = trace.steps.find((step) =>
    "point" in step && step.point === "foundProduct"
  );
  assert("point" in found! && found.handlers![1]!.ms! >= 1);

  const [first, second, ...more] = trace.attempts;
  assertEquals(more, []);
  assertEquals(first, {
    number: 1,
    cluster: "main",
    subcluster: "default",
    backend: "a",
    pinned: false,
    addresses: [`127.0.0.1:${dead}`],
    remote: undefined,
    reused: undefined,
    status: 0,
    error: first!.error,
  });
  assertEquals(first!.error?.code, "connect_refused");
  assertEquals(
    [second!.backend, second!.status, second!.reused, second!.error],
    ["b", 200, false, undefined],
  );
  assertEquals(`http://${second!.remote}`, backend.url);

  // Steps in the order of time, from the head on to the end.
  const times = trace.steps.map(({ at }) => at);
  assertEquals(times, times.toSorted((a, b) => a - b));
  const states = trace.steps.flatMap((step) =>
    "state" in step ? [step.state] : []
  );
  assertEquals([states[0], states.at(-1)], ["head", "closed"]);
  assert(trace.timings.finished! >= trace.timings.responseHead!);
  assert(trace.bytesIn > 0 && trace.bytesOut > 0);

  // The response's head tells what was known by then.
  assertEquals([early.status, early.state], [200, "deliver"]);
  assertEquals(
    early.steps,
    trace.steps.slice(0, early.steps.length),
  );
  assertEquals(early.attempts[1]!.backend, "b");
});

Deno.test("a trace tells what answered in place of a backend", async () => {
  await using proxy = await start({
    plugins: [
      handlersPlugin("answers", {
        foundProduct: (request) =>
          request.path === "/verdict"
            ? verdicts.respond({ status: 418, body: "no" })
            : undefined,
      }),
    ],
    products: [{
      name: "shop",
      default: true,
      rules: [
        { when: 'req_path_in("/old", false)', redirect: { to: "/new" } },
        { when: 'req_path_in("/none", false)', cluster: "main" },
        {
          when: 'req_path_in("/verdict", false)',
          respond: { status: 200, body: "" },
        },
      ],
    }],
  });
  const told = async (target: string) => {
    const response = await ask(proxy.port(), ASKING, target);
    const trace = await toldLater(proxy, toldIn(response)!.id);
    assertEquals(response.status, trace.status);
    assertEquals(toldIn(response)!.status, trace.status);
    const { status, rule, error } = trace;
    return [status, rule, error?.code, pointsOf(trace).length];
  };
  assertEquals(await told("/verdict"), [418, undefined, undefined, 7]);
  assertEquals(await told("/old"), [302, 1, undefined, 7]);
  assertEquals(await told("/none"), [503, 2, "no_backend", 9]);
  assertEquals(await told("/else"), [404, undefined, "no_rule", 7]);
});

Deno.test("a trace that no field can hold is told by its id alone", async () => {
  await using backend = serveNamed("a");
  const name = "a-name-that-is-long-".repeat(3);
  const many = Array.from(
    { length: 40 },
    (_, i) =>
      handlersPlugin(`${name}${i}`, {
        foundProduct: () => undefined,
        forward: () => undefined,
      }),
  );
  await using proxy = await start({ backends: [backend.url], plugins: many });
  const response = await ask(proxy.port(), ASKING);
  const [field] = fieldValues(response.head, "x-headrace-explain");
  const { id, ...others } = JSON.parse(field!);
  assertEquals(others, { at: `/api/transactions/${id}` });
  const trace = await toldLater(proxy, id);
  assert(JSON.stringify(trace).length > 4_096);
  assertEquals(trace.attempts[0]!.backend, "a");
});

Deno.test("a trace of a tunnel: in the 101's head, and while it lives", async () => {
  await using backend = serveRaw([{
    echo: true,
    data: "HTTP/1.1 101 Switching Protocols\r\n" +
      "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n",
  }]);
  await using proxy = await start({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  const lines = [
    "GET / HTTP/1.1",
    "Host: a",
    "Connection: upgrade",
    "Upgrade: echo",
    ...ASKING,
  ];
  await client.send(`${lines.join("\r\n")}\r\n\r\n`);
  const response = await client.response();
  const { id, status } = toldIn(response)!;
  assertEquals([response.status, status], [101, 101]);
  await client.send("x".repeat(20_000));
  await client.until("the echo", () => client.received.length === 20_002);
  const living = await proxy.supervisor.trace(id);
  assertEquals([living?.state, living?.host, living?.status], [
    "tunnel",
    "a",
    101,
  ]);
  client.close();
  assertEquals((await toldLater(proxy, id)).attempts[0]!.backend, "a");
});

/** Lines that ask for a trace, rightly or not, in every way. */
const WAYS: readonly (readonly string[])[] = [
  ASKING,
  ["X-Headrace-Explain: 1"],
  ["x-headrace-explain: 1", "X-HEADRACE-TOKEN: wrong"],
  ["X-Headrace-Explain: 0", `X-Headrace-Token: ${TOKEN}`],
  ["X-Headrace-Explain: 1", "X-Headrace-Explain: 1", ...ASKING.slice(1)],
  [`X-Headrace-Token: ${TOKEN}`],
  [`X-Headrace-Token: ${TOKEN}`, `X-Headrace-Token: ${TOKEN}`],
  ["X-Headrace-Explain:"],
];

Deno.test("neither backend nor handler nor rule nor log sees who asks, whoever does", async () => {
  await using backend = serveEcho();
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  const path = `${folder}/access.log`;
  const seen: string[] = [];
  await using proxy = await start({
    backends: [backend.url],
    products: [{
      name: "shop",
      default: true,
      rules: [
        {
          when:
            'req_header_key_in("X-Headrace-Explain|X-Headrace-Token") || req_header_value_contain("X-Headrace-Token", "s3", true)',
          respond: { status: 500, body: "seen" },
        },
        { cluster: "main" },
      ],
    }],
    plugins: [
      { use: "builtin:access-log", options: { path, format: "json" } },
      handlersPlugin("spy", {
        readRequestHeader: (request) => {
          seen.push(...[...request.headers].map(([name]) => name));
          assertEquals(request.headers.get("x-headrace-token"), null);
        },
        transactionClose: ({ request }) => {
          seen.push(...[...request!.headers].map(([name]) => name));
        },
      }),
    ],
  });
  const traced: boolean[] = [];
  for (const lines of WAYS) {
    const response = await ask(proxy.port(), [...lines, "X-Own: 1"]);
    assertEquals([lines, response.status], [lines, 200]);
    traced.push(toldIn(response) !== undefined);
    const { headers } = parseEcho(response.body);
    assertEquals(headers["x-own"], "1");
    assertEquals(
      Object.keys(headers).filter((name) => name.startsWith("x-headrace")),
      [],
    );
  }
  assertEquals(traced, WAYS.map((lines) => lines === ASKING));
  const log = await eventually("the log", async () => {
    const text = await Deno.readTextFile(path);
    return text.trim().split("\n").length === WAYS.length && text;
  });
  assert(!/headrace-(explain|token)|s3cret/i.test(log), log);
  assert(!/headrace-(explain|token)/i.test(seen.join()), seen.join());
  const own = proxy.logged.join("\n");
  assert(!/s3cret/.test(own), own);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("fields of names that only look alike are nobody's business here", async () => {
  await using backend = serveEcho();
  await using proxy = await start({ backends: [backend.url] });
  const alike = [
    ["X_Headrace_Explain: 1", `X_Headrace_Token: ${TOKEN}`],
    ["X-Headrace_Explain: 1", ASKING[1]!],
    ["X-Headrace-Explained: 1", ASKING[1]!],
    ["Headrace-Explain: 1", ASKING[1]!],
  ];
  for (const lines of alike) {
    const response = await ask(proxy.port(), lines);
    assertEquals([lines, toldIn(response)], [lines, undefined]);
    const { headers } = parseEcho(response.body);
    const [name] = lines[0]!.toLowerCase().split(":");
    assertEquals([headers[name!], headers["x-headrace-token"]], [
      "1",
      undefined,
    ]);
  }
  // However it is written, it is the same name.
  const response = await ask(proxy.port(), [
    "x-HEADRACE-explain: 1",
    `X-headrace-TOKEN:${TOKEN}`,
  ]);
  assertEquals(toldIn(response)?.status, 200);
});

Deno.test("no attempt's backend sees the token, and a hint of one is no trace", async () => {
  const heads: string[] = [];
  await using backend = serveEach(async (connection, { headers }) => {
    heads.push([...headers.keys()].join());
    await connection.send(
      "HTTP/1.1 103 Early Hints\r\nX-Headrace-Explain: forged\r\n\r\n",
    );
    await connection.respond(heads.length < 3 ? 503 : 200, "x");
  });
  await using proxy = await start({
    backends: [backend.url, `${backend.url}/b`, `${backend.url}/c`],
    cluster: { retries: { causes: ["503"] } },
  });
  const response = await ask(proxy.port(), ASKING);
  assertEquals(
    [response.status, toldIn(response)?.attempts.length],
    [200, 3],
  );
  assertEquals(heads.length, 3);
  assert(!heads.join().includes("headrace"), heads.join());
});

Deno.test("a backend sees no token behind a body either", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  ]);
  await using proxy = await start({ backends: [backend.url] });
  using client = await RawClient.connect(proxy.port());
  await client.send(
    "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `1\r\nx\r\n0\r\nX-Headrace-Token: ${TOKEN}\r\nX-Own: 1\r\n\r\n`,
  );
  assertEquals((await client.response("POST")).status, 200);
  const { body, trailers } = backend.requests[0]!;
  assertEquals([body, trailers], ["x", ["X-Own: 1"]]);
});

Deno.test("a backend's own field of this name does not pass for a trace", async () => {
  await using backend = serveRaw([
    "HTTP/1.1 200 OK\r\nX-Headrace-Explain: forged\r\nContent-Length: 0\r\n\r\n",
  ]);
  await using proxy = await start({ backends: [backend.url] });
  const { head } = await ask(proxy.port(), ASKING);
  const [field, ...others] = fieldValues(head, "x-headrace-explain");
  assertEquals(others, []);
  assertMatch(field!, /^\{"id":/);
});

Deno.test("without a token this machine's clients are told, those of a proxy on it are not", async () => {
  await using backend = serveNamed("a");
  const listeners = [{
    name: "behind",
    address: "127.0.0.1:0",
    proxyProtocol: "accept",
    trusted: ["127.0.0.0/8"],
  }];
  await using proxy = await start({ backends: [backend.url], listeners }, {});
  const isTold = async (...lines: string[]) => {
    const response = await ask(proxy.port(), [
      "X-Headrace-Explain: 1",
      ...lines,
    ]);
    assertEquals(response.status, 200);
    return toldIn(response) !== undefined;
  };
  assertEquals(await isTold(), true);
  assertEquals(await isTold("X-Headrace-Token: any"), true);
  assertEquals(await isTold("X-Forwarded-For: 127.0.0.1"), false);
  assertEquals(await isTold("Forwarded: for=127.0.0.1"), false);
  assertEquals(await isTold("Via: 1.1 nginx"), false);

  const behind = async (source: string) => {
    using client = await RawClient.connect(proxy.port(1));
    await client.send(
      `PROXY TCP4 ${source} 127.0.0.1 5000 80\r\n` +
        "GET / HTTP/1.1\r\nHost: a\r\nX-Headrace-Explain: 1\r\n\r\n",
    );
    return toldIn(await client.response()) !== undefined;
  };
  assertEquals(await behind("192.0.2.1"), false);
  assertEquals(await behind("127.0.0.1"), true);
  assertEquals(
    proxy.logged.filter((line) => line.includes("trace was refused")).length,
    4,
  );
});

Deno.test("the last 100 traces of a worker are kept", async () => {
  await using proxy = await start({
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200, body: "" } }],
    }],
  });
  using client = await RawClient.connect(proxy.port());
  const ids: string[] = [];
  for (let i = 0; i < 102; i++) {
    await client.send(
      `GET / HTTP/1.1\r\nHost: a\r\n${ASKING.join("\r\n")}\r\n\r\n`,
    );
    ids.push(toldIn(await client.response())!.id);
  }
  const kept = await Promise.all(
    ids.map(async (id) => await proxy.supervisor.trace(id) !== undefined),
  );
  assertEquals(kept, ids.map((_, i) => i >= 2));
});

Deno.test("/api/transactions/ID tells traces of every worker", async () => {
  await using backend = serveNamed("a");
  await using proxy = await startProxy(JSON.stringify({
    ...JSON.parse(configWith({ backends: [backend.url] })),
    workers: 2,
    admin: { token: TOKEN },
    log: { level: "error" },
  }));
  const app = createAdminApp(proxy.supervisor, {
    token: TOKEN,
    hosts: [],
    log: createLog({ write() {} }),
  });
  const get = async (id: string, token = TOKEN) =>
    await app.request(`/api/transactions/${id}`, {
      headers: { authorization: `Bearer ${token}` },
    });
  // An id's prefix tells the worker.
  const byWorker = new Map<string, string>();
  await eventually("a trace of each worker", async () => {
    const { id } = toldIn(await ask(proxy.port(), ASKING))!;
    byWorker.set(id.split("-")[0]!, id);
    return byWorker.size === 2;
  });
  for (const id of byWorker.values()) {
    const trace = await eventually("its end", async () => {
      const answer = await get(id);
      assertEquals(answer.status, 200);
      const trace = await answer.json();
      return trace.state === "closed" && trace;
    });
    assertEquals([trace.id, trace.status], [id, 200]);
  }
  assertEquals((await get("unknown")).status, 404);
  assertEquals((await get("unknown", "wrong")).status, 401);
});
