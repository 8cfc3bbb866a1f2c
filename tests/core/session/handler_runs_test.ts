/**
 * `handlerStarted`: what a plugin hears of every plugin's handlers, and that its
 * own failures harm nobody.
 *
 * @module
 */
import type { HandlerEnd, HandlerRun } from "../../../core/plugin.ts";
import { verdicts } from "../../../core/verdict.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { eventually } from "../../support/eventually.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin, partsPlugin } from "../../support/inline_plugin.ts";
import { metricValue } from "../../support/metric_value.ts";
import { startProxyWith } from "../../support/proxy_with.ts";
import { serveEach } from "../../support/scripted_backend.ts";

/** A plugin that notes whose handlers ran where, and how that ended. */
function observer(name: string, heard: string[], config: object = {}): object {
  return partsPlugin(name, {
    handlerStarted({ plugin, point, transaction, attempt }: HandlerRun) {
      const place = [
        plugin,
        point,
        transaction === undefined ? "-" : transaction.request?.path ?? "?",
        ...attempt === undefined ? [] : [attempt.number],
      ].join(" ");
      heard.push(place);
      return ({ verdict, error }: HandlerEnd) => {
        const end = verdict ?? error?.code;
        heard.push(`${place}${end === undefined ? "" : ` = ${end}`}`);
      };
    },
  }, config);
}

Deno.test("a plugin hears of every handler's run, and how it ended", async () => {
  await using backend = serveEach((connection) => connection.respond(200, "x"));
  const heard: string[] = [];
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      handlersPlugin("one", {
        accept: (session) => {
          session.on("finish", () => undefined);
        },
        transactionStart: () => undefined,
        forward: () => undefined,
        readResponse: async () => {
          await new Promise((resolve) => setTimeout(resolve, 1));
          return verdicts.respond({ status: 418 });
        },
      }),
      {
        ...handlersPlugin("two", {
          foundProduct: (request) => {
            request.transaction.on("afterLocation", () => {
              throw new Error("on purpose");
            });
          },
        }),
        onError: "ignore",
      },
      observer("observer", heard),
    ],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get("/a")).status, 418);
  client.close();
  await eventually("the session's end", () => heard.at(-1) === "one finish -");
  assertEquals(heard, [
    "one accept -",
    "one accept -",
    "one transactionStart ?",
    "one transactionStart ?",
    "two foundProduct /a",
    "two foundProduct /a",
    "two afterLocation /a",
    "two afterLocation /a = handler_error",
    "one forward /a 1",
    "one forward /a 1",
    "one readResponse /a",
    "one readResponse /a = respond",
    "one finish -",
    "one finish -",
  ]);
});

Deno.test("a plugin limited to a product hears of handlers once that is known", async () => {
  const heard: string[] = [];
  await using proxy = await startProxyWith({
    products: ["a", "b"].map((name) => ({
      name,
      hosts: [name],
      rules: [{ respond: { status: 204 } }],
    })),
    plugins: [
      handlersPlugin("all", {
        readRequestHeader: () => undefined,
        foundProduct: () => undefined,
        readResponse: () => undefined,
      }),
      observer("observer", heard, { products: ["b"] }),
    ],
  });
  for (const host of ["a", "b"]) {
    using client = await HttpClient.connect(proxy.port());
    await client.send(`GET /${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assertEquals((await client.response()).status, 204);
  }
  assertEquals(heard, [
    "all foundProduct /b",
    "all foundProduct /b",
    "all readResponse /b",
    "all readResponse /b",
  ]);
});

Deno.test("an observer that throws is counted and logged, and harms nobody", async () => {
  const heard: string[] = [];
  await using proxy = await startProxyWith({
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 204 } }],
    }],
    plugins: [
      handlersPlugin("one", { foundProduct: () => undefined }),
      partsPlugin("early", {
        handlerStarted() {
          throw new Error("at once");
        },
      }),
      partsPlugin("late", {
        handlerStarted: () => () => {
          throw new Error("at the end");
        },
      }),
      partsPlugin("odd", {
        handlerStarted: () => Promise.resolve() as never,
      }),
      observer("observer", heard),
    ],
  });
  using client = await HttpClient.connect(proxy.port());
  assertEquals((await client.get()).status, 204);
  assertEquals(heard, ["one foundProduct /", "one foundProduct /"]);
  const { metrics } = await proxy.report();
  for (const plugin of ["early", "late", "odd"]) {
    const labels = { plugin, point: "handlerStarted" };
    assertEquals(
      metricValue(metrics, "headrace_handler_errors_total", labels),
      1,
      plugin,
    );
    const told = proxy.logged.find((line) => line.includes(plugin));
    assertStringIncludes(told ?? "", "handlerStarted failed");
  }
});
