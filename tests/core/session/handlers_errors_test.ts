/**
 * Handlers that fail: what the client gets, what is told and counted, and that
 * nobody else notices.
 *
 * @module
 */
import {
  CALLBACK_POINTS,
  type PointName,
} from "../../../core/callback_points.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { eventually } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin, untypedPlugin } from "../../support/inline_plugin.ts";
import { metricValue } from "../../support/metric_value.ts";
import { serveEach } from "../../support/scripted_backend.ts";
import { type TracedProxy, tracedProxy } from "../../support/traced_proxy.ts";
import {
  answered,
  attempt,
  delivered,
  LOCATED,
  unparsed,
} from "../../support/tracer.ts";

/** A proxy before a backend that answers `ok`. */
async function traced(plugins: readonly object[]) {
  const backend = serveEach((connection) => connection.respond(200, "ok"));
  const t = await tracedProxy({ backends: [backend.url], plugins });
  return {
    ...t,
    async [Symbol.asyncDispose]() {
      await t[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

/** `headrace_handler_errors_total` of a plugin, by point. */
async function errors(
  { proxy }: Pick<TracedProxy, "proxy">,
  plugin: string,
): Promise<Record<string, number>> {
  const { metrics } = await proxy.report();
  const counts = CALLBACK_POINTS.map(({ name }): [string, number] => [
    name,
    metricValue(metrics, "headrace_handler_errors_total", {
      plugin,
      point: name,
    }),
  ]);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** What of a plain GET fires up to a point. */
function before(point: PointName): string[] {
  const plain = ["accept", ...answered(200), "finish"];
  return plain.slice(
    0,
    plain.findIndex((event) => event.split(" ")[0] === point) + 1,
  );
}

const THROWING = {
  throws: (): never => {
    throw new Error("boom");
  },
  rejects: (): Promise<never> => Promise.reject(new Error("boom")),
};

/** What the client gets for a failure at each point, and the points that fire after it. */
const FAILING: readonly {
  readonly point: PointName;
  readonly status: number | "nothing";
  readonly after: readonly string[];
}[] = [
  { point: "accept", status: "nothing", after: [] },
  {
    point: "transactionStart",
    status: "nothing",
    after: ["requestFinish none", "transactionClose 0"],
  },
  ...([
    "readRequestHeader",
    "beforeLocation",
    "foundProduct",
    "afterLocation",
    "cacheLookupComplete",
    "forward",
    "resolve",
    "sendRequestHeader",
    "readResponseHeader",
  ] as const).map((point) => ({ point, status: 500, after: delivered(500) })),
  { point: "readResponse", status: 500, after: unparsed(500) },
  { point: "sendResponseHeader", status: 500, after: unparsed(500).slice(1) },
  { point: "requestFinish", status: 200, after: ["transactionClose 200"] },
  { point: "transactionClose", status: 200, after: [] },
  { point: "finish", status: 200, after: [] },
];

for (const { point, status, after } of FAILING) {
  for (const how of ["throws", "rejects"] as const) {
    Deno.test(`a handler at ${point} that ${how}: ${status}, told and counted`, async () => {
      await using t = await traced([
        untypedPlugin("bad", { [point]: THROWING[how] }),
      ]);
      if (status === "nothing") {
        await t.client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert(await t.client.ended());
      } else {
        const response = await t.client.get();
        assertEquals(response.status, status);
        assert(!response.text.includes("boom"));
      }
      assertEquals(await t.finished(), [
        ...before(point),
        ...after,
        ...point === "finish" ? [] : ["finish"],
      ]);
      await eventually(
        "the failure is counted",
        async () => (await errors(t, "bad"))[point] === 1,
      );
      assertEquals(await errors(t, "bad"), { [point]: 1 });
      const told = t.proxy.logged.filter((line) => line.includes("boom"));
      assertEquals(told.length, 1);
      assert(told[0]!.includes(point));
    });
  }

  Deno.test(`a handler at ${point} that throws with onError ignore: the request goes on, the next handler runs`, async () => {
    let ran = 0;
    const next = (): undefined => {
      ran++;
    };
    await using t = await traced([
      {
        ...untypedPlugin("bad", { [point]: THROWING.throws }),
        onError: "ignore",
      },
      untypedPlugin("next", { [point]: next }),
    ]);
    assertEquals((await t.client.get()).text, "ok");
    assertEquals(await t.finished(), ["accept", ...answered(200), "finish"]);
    assertEquals(await errors(t, "bad"), { [point]: 1 });
    assertEquals(ran, 1);
  });
}

Deno.test("a failure keeps the connection", async () => {
  await using t = await traced([untypedPlugin("bad", {
    foundProduct: (request: { readonly path: string }) => {
      if (request.path === "/bad") throw new Error("boom");
    },
  })]);
  assertEquals((await t.client.get("/bad")).status, 500);
  assertEquals((await t.client.get("/good")).text, "ok");
});

Deno.test("a failure ends no other session", async () => {
  await using t = await traced([untypedPlugin("bad", {
    foundProduct: (request: { readonly path: string }) => {
      if (request.path === "/bad") throw new Error("boom");
    },
    transactionStart: async () => {
      await Promise.resolve();
    },
  })]);
  const one = async (i: number) => {
    using client = await HttpClient.connect(t.proxy.port());
    const path = i % 2 === 0 ? "/bad" : "/good";
    const statuses = [await client.get(path), await client.get(path)];
    return statuses.map(({ status }) => status);
  };
  const all = await Promise.all(Array.from({ length: 10 }, (_, i) => one(i)));
  all.forEach((statuses, i) =>
    assertEquals(statuses, i % 2 === 0 ? [500, 500] : [200, 200])
  );
});

Deno.test("a handler that throws nothing sensible fails like others", async () => {
  const thrown: unknown[] = [undefined, null, "text", 1, Symbol("s"), {}];
  await using t = await traced([untypedPlugin("bad", {
    foundProduct: () => {
      throw thrown.pop();
    },
  })]);
  for (let i = thrown.length; i > 0; i--) {
    assertEquals((await t.client.get()).status, 500);
  }
  assertEquals(await errors(t, "bad"), { foundProduct: 6 });
});

Deno.test("a handler that fails for a request that never parsed: 500 in place of 400", async () => {
  await using t = await traced([
    untypedPlugin("bad", { sendResponseHeader: THROWING.throws }),
  ]);
  await t.client.send("GET\r\n\r\n");
  assertEquals((await t.client.response()).status, 500);
  await t.client.end();
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    "sendResponseHeader 400",
    "requestFinish 500",
    "transactionClose 500",
    "finish",
  ]);
});

// ------------------------------------------- answers that are no legal verdict

for (
  const { what, point, answer } of [
    { what: "true", point: "foundProduct", answer: true },
    { what: "null", point: "foundProduct", answer: null },
    { what: "a Response", point: "foundProduct", answer: new Response("x") },
    { what: "retry", point: "foundProduct", answer: { kind: "retry" } },
    { what: "an unknown kind", point: "forward", answer: { kind: "stop" } },
    {
      what: "redirect at forward",
      point: "forward",
      answer: { kind: "redirect", url: "/", status: 302 },
    },
    {
      what: "finish without a response",
      point: "forward",
      answer: { kind: "finish" },
    },
    {
      what: "a status that is none",
      point: "foundProduct",
      answer: { kind: "respond", response: { status: 99 } },
    },
    {
      what: "a bad header name",
      point: "foundProduct",
      answer: {
        kind: "respond",
        response: { status: 200, headers: { "a b": "x" } },
      },
    },
    {
      what: "a bad header value",
      point: "readResponse",
      answer: {
        kind: "finish",
        response: { status: 200, headers: { "x-a": "a\r\nb: c" } },
      },
    },
    {
      what: "respond at sendResponseHeader",
      point: "sendResponseHeader",
      answer: { kind: "respond", response: { status: 200 } },
    },
  ] as const
) {
  Deno.test(`${what} from an untyped handler at ${point}: 500, told and counted`, async () => {
    await using t = await traced([
      untypedPlugin("bad", { [point]: () => answer }),
    ]);
    assertEquals((await t.client.get()).status, 500);
    assertEquals(await errors(t, "bad"), { [point]: 1 });
  });

  Deno.test(`${what} from an async untyped handler at ${point}, ignored: the request goes on`, async () => {
    await using t = await traced([{
      ...untypedPlugin("bad", { [point]: () => Promise.resolve(answer) }),
      onError: "ignore",
    }]);
    assertEquals((await t.client.get()).text, "ok");
    assertEquals(await errors(t, "bad"), { [point]: 1 });
  });
}

Deno.test("close from an untyped handler at requestFinish is told, and the connection stays", async () => {
  await using t = await traced([
    untypedPlugin("bad", { requestFinish: () => ({ kind: "close" }) }),
  ]);
  assertEquals((await t.client.get()).text, "ok");
  assertEquals((await t.client.get()).text, "ok");
  assertEquals(await errors(t, "bad"), { requestFinish: 2 });
});

Deno.test("a failure of a handler that `on` added is its plugin's", async () => {
  await using t = await traced([{
    ...handlersPlugin("adds", {
      transactionStart: (transaction) => {
        transaction.on("foundProduct", THROWING.throws);
        transaction.session.on("foundProduct", THROWING.throws);
      },
    }),
    onError: "ignore",
  }]);
  assertEquals((await t.client.get()).text, "ok");
  assertEquals(await errors(t, "adds"), { foundProduct: 2 });
});

Deno.test("attempts of a failed request are told in its transaction", async () => {
  const seen: string[] = [];
  await using t = await traced([
    untypedPlugin("bad", { sendRequestHeader: THROWING.throws }),
    handlersPlugin("reads", {
      transactionClose: (transaction) => {
        seen.push(
          transaction.error?.code ?? "",
          transaction.error?.side ?? "",
          ...transaction.attempts.map(({ error }) => error?.code ?? ""),
        );
      },
    }),
  ]);
  assertEquals((await t.client.get()).status, 500);
  assertEquals(await t.finished(), [
    "accept",
    "transactionStart",
    ...LOCATED,
    ...attempt(1),
    ...delivered(500),
    "finish",
  ]);
  assertEquals(seen, ["handler_error", "plugin", "handler_error"]);
});
