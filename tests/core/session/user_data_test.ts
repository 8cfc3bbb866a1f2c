/**
 * What plugins keep on sessions and transactions, and tell each other: seen at
 * every later point, gone with its owner, and never on the wire.
 *
 * @module
 */
import { CALLBACK_POINTS } from "../../../core/callback_points.ts";
import type { Session, Transaction } from "../../../core/plugin.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { eventually } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { heldBytes } from "../../support/garbage.ts";
import {
  handlersPlugin,
  inlinePlugin,
  untypedPlugin,
} from "../../support/inline_plugin.ts";
import { configWith, startProxyWith } from "../../support/proxy_with.ts";
import { serveEach } from "../../support/scripted_backend.ts";
import { Tracer } from "../../support/tracer.ts";

const SECRET = "what-only-plugins-know";

/** The transaction that a point's first view leads to; undefined for those of sessions. */
function transactionOf(view: object | undefined): Transaction | undefined {
  if (view === undefined) return undefined;
  if ("transaction" in view) return view.transaction as Transaction;
  return "attempts" in view ? view as Transaction : undefined;
}

Deno.test("data: what one plugin keeps another one reads, from point to point, and the wire never has it", async () => {
  const heads: string[] = [];
  await using backend = serveEach(async (connection, request) => {
    heads.push(JSON.stringify([...request.headers]));
    await connection.respond(200, "hello");
  });
  const key = Symbol("own");
  const seen: string[] = [];
  const reads = Object.fromEntries(CALLBACK_POINTS.map(({ name }) => [
    name,
    (view: object | undefined) => {
      const transaction = transactionOf(view);
      const session = transaction?.session ?? view as Session;
      seen.push(
        `${name} ${session.data.get(key)} ${transaction?.data.get("country")}`,
      );
    },
  ]));
  const tracer = new Tracer();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      tracer.plugin,
      handlersPlugin("writes", {
        accept: (session) => void session.data.set(key, SECRET),
        transactionStart: ({ data, number }) => {
          assertEquals(data.size, 0);
          data.set("country", `${SECRET}-${number}`);
        },
      }),
      untypedPlugin("reads", reads),
    ],
  });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 1; i <= 2; i++) {
    const response = await client.get();
    heads.push(JSON.stringify([...response.headers]), response.text);
  }
  client.close();
  await tracer.seen("finish");
  const points = tracer.take().map((event) => event.split(" ")[0]!);
  let number = 0;
  assertEquals(
    seen,
    points.map((point) => {
      if (point === "transactionStart") number++;
      const ofSession = point === "accept" || point === "finish";
      return `${point} ${SECRET} ${
        ofSession ? undefined : `${SECRET}-${number}`
      }`;
    }),
  );
  assert(heads.length === 6 && !heads.join().includes(SECRET));
  assert(!proxy.logged.join().includes(SECRET));
});

Deno.test("data: a rule goes by what a plugin has found out", async () => {
  await using a = serveEach((connection) => connection.respond(200, "a"));
  await using b = serveEach((connection) => connection.respond(200, "b"));
  await using proxy = await startProxyWith({
    backends: [a.url],
    clusters: [{ name: "other", backends: [{ url: b.url }] }],
    products: [{
      name: "all",
      default: true,
      rules: [
        { when: 'req_context_value_in("zone", "b", false)', cluster: "other" },
        { cluster: "main" },
      ],
    }],
    plugins: [handlersPlugin("finds", {
      readRequestHeader: ({ path, transaction }) => {
        transaction.data.set("zone", path.slice(1));
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/b")).text, "b");
  assertEquals((await client.get("/a")).text, "a");
});

Deno.test("data: a plugin's own request has its own session and transaction", async () => {
  const sizes: number[] = [];
  await using proxy = await startProxyWith({
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200, body: "hello" } }],
    }],
    plugins: [handlersPlugin("asks", ({ request, verdict }) => ({
      accept: ({ data }) => {
        sizes.push(data.size);
        data.set("accepted", 1);
      },
      foundProduct: async ({ session, transaction }) => {
        sizes.push(transaction.data.size);
        transaction.data.set("found", 1);
        return session.internal
          ? undefined
          : verdict.respond(await request("http://x/"));
      },
    }))],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "hello");
  assertEquals(sizes, [0, 0, 0, 0]);
});

Deno.test("data: no name of a field is plugins' own: a client that sends @name is refused, a handler that sets it too", async () => {
  const thrown: unknown[] = [];
  await using backend = serveEach((connection) => connection.respond(200, "x"));
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("sets", {
      foundProduct: ({ headers }) => {
        try {
          headers.set("@country", "de");
        } catch (error) {
          thrown.push(error);
        }
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).text, "x");
  assert(thrown[0] instanceof TypeError);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\n@country: de\r\n\r\n");
  assertEquals((await client.response()).status, 400);
});

Deno.test("on: handlers of a session and of a transaction are let go with it", async () => {
  let calls = 0;
  let held: WeakRef<object> | undefined;
  await using backend = serveEach((connection) => connection.respond(200, "x"));
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("adds", {
      accept: (session) => {
        const large = { bytes: new Uint8Array(1 << 20) };
        held = new WeakRef(large);
        session.on("foundProduct", () => void (calls += large.bytes[0]! + 1));
        session.data.set("large", large);
      },
    })],
  });
  {
    using client = await HttpClient.connect(proxy.port());
    await client.get();
    await client.get();
  }
  await eventually(
    "the session's end",
    async () => (await proxy.report()).sessions.length === 0,
  );
  assertEquals(calls, 2);
  await eventually("that it is let go", () => {
    heldBytes();
    return held!.deref() === undefined;
  });
});

Deno.test("data: a transaction's is let go with it, while its session goes on", async () => {
  let held: WeakRef<object> | undefined;
  await using backend = serveEach((connection) => connection.respond(200, "x"));
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("keeps", {
      foundProduct: ({ transaction }) => {
        const large = { bytes: new Uint8Array(1 << 20) };
        held = new WeakRef(large);
        transaction.data.set("large", large);
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.get();
  await eventually("that it is let go", () => {
    heldBytes();
    return held!.deref() === undefined;
  });
});

Deno.test("plugins: what one holds is let go with the last session of its config, whenever its requests end", async () => {
  let held: WeakRef<object> | undefined;
  const answering = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  await using backend = serveEach(async (connection) => {
    asked.resolve();
    await answering.promise;
    await connection.respond(200, "x");
  });
  const plugin = inlinePlugin({
    name: "holds",
    setup() {
      const large = { bytes: new Uint8Array(1 << 20) };
      held = new WeakRef(large);
      return { handlers: { foundProduct: () => void large.bytes[0] } };
    },
  });
  const backends = [backend.url];
  await using proxy = await startProxyWith({
    backends,
    plugins: [{ use: plugin }],
  });
  {
    using client = await HttpClient.connect(proxy.port());
    const answer = client.get();
    await asked.promise;
    await proxy.reload(configWith({ backends }));
    answering.resolve();
    assertEquals((await answer).text, "x");
  }
  await eventually("that it is let go", () => {
    heldBytes();
    return held!.deref() === undefined;
  });
});
