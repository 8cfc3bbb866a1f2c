/**
 * Plugins that are limited to products or listeners, their order, and the
 * conditions that they bring to the rule language.
 *
 * @module
 */
import { ModuleHost } from "../core/plugins/module_host.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { pluginConfig, problemsOf, WORKERS } from "../support/plugin_site.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";
import { startProxyWith } from "../support/proxy_with.ts";

/** A plugin that adds its name to the response field `x-by`, at these points. */
function marks(...points: readonly string[]): string {
  return dataPlugin(`export default {
    name: "marks",
    setup({ name }) {
      const handlers = {
        readResponse(_, response) {
          response.headers.append("x-by", name);
        },
      };
      for (const point of ${JSON.stringify(points)}) handlers[point] = () => {};
      return { handlers };
    },
  };`);
}

const respond = { respond: { status: 200, body: "ok" } };

const PRODUCTS = ["a", "b"].map((name) => ({
  name,
  hosts: [`${name}.example`],
  rules: [respond],
}));

async function by(
  proxy: TestProxy,
  host: string,
  to: Deno.ConnectOptions = { port: proxy.port() },
): Promise<string | null> {
  using client = await HttpClient.connect({ hostname: "127.0.0.1", ...to });
  return (await client.get("/", host)).headers.get("x-by");
}

for (const workers of WORKERS) {
  Deno.test(`a plugin limited to products runs for these only (workers: ${workers})`, async () => {
    const plugins = [
      { use: marks(), name: "only-a", products: ["a"], order: -1 },
      { use: marks(), name: "all" },
      { use: marks(), name: "both", products: ["a", "b"] },
    ];
    const config = pluginConfig(workers, { products: PRODUCTS, plugins });
    await using proxy = await startProxy(config);

    // Global ones come first, whatever their order.
    assertEquals(await by(proxy, "a.example"), "all, only-a, both");
    assertEquals(await by(proxy, "b.example"), "all, both");
    assertEquals(await by(proxy, "c.example"), "all");
  });

  Deno.test(`a plugin limited to products must not have handlers where no product is known (workers: ${workers})`, async (t) => {
    const points = [
      "accept",
      "handshake",
      "transactionStart",
      "readRequestHeader",
      "beforeLocation",
      "finish",
    ];
    for (const point of points) {
      await t.step(point, async () => {
        const use = marks("foundProduct", point);
        const [problem = "", ...others] = await problemsOf(() =>
          startProxy(
            pluginConfig(workers, {
              products: PRODUCTS,
              plugins: [{ use, name: "limited", products: ["a"] }],
            }),
          )
        );
        assertEquals(others, []);
        assertStringIncludes(
          problem,
          `plugin "limited" is limited to products, but has a handler at ${point}`,
        );
      });
    }
  });

  Deno.test(`a plugin limited to listeners runs on these only (workers: ${workers})`, async () => {
    const config = pluginConfig(workers, {
      products: PRODUCTS,
      listeners: [{ name: "other", address: "[::1]:0" }],
      plugins: [
        { use: marks("accept", "finish"), name: "web", listeners: ["web"] },
        { use: marks(), name: "other", listeners: ["other"] },
        { use: marks(), name: "both", listeners: ["web", "other"] },
        {
          use: marks(),
          name: "narrow",
          listeners: ["other"],
          products: ["a"],
        },
      ],
    });
    await using proxy = await startProxy(config);
    const other = { hostname: "::1", port: proxy.port(1) };

    assertEquals(await by(proxy, "a.example"), "web, both");
    assertEquals(await by(proxy, "a.example", other), "other, both, narrow");
    assertEquals(await by(proxy, "b.example", other), "other, both");
  });

  Deno.test(`order, then the config's order, decides inside a scope (workers: ${workers})`, async () => {
    const plugins = [
      { use: marks(), name: "c", order: 10 },
      { use: marks(), name: "b" },
      { use: marks(), name: "a", order: -0.5 },
      { use: marks(), name: "d", order: 10 },
    ];
    await using proxy = await startProxy(pluginConfig(workers, { plugins }));

    assertEquals(await by(proxy, "x.example"), "a, b, c, d");
  });

  Deno.test(`a plugin's conditions are usable in rules (workers: ${workers})`, async (t) => {
    await using host = new ModuleHost({
      "/plugin.ts": `
        export default {
          name: "weekday",
          setup: ({ options }: { options: { days: string[] } }) => ({
            conditions: {
              acme_day_in(days: string, strict: boolean) {
                if (days === "") throw new RangeError("name a day");
                const wanted = new Set(days.split("|"));
                return (request: any) =>
                  wanted.has(request.parameter("day")) ||
                  !strict && options.days.includes(request.parameter("day"));
              },
              acme_promise: () => () => Promise.resolve(false),
              acme_broken: () => () => { throw new TypeError("oh"); },
            },
          }),
        };`,
    });
    const config = (when: string) =>
      pluginConfig(workers, {
        products: [{
          name: "site",
          default: true,
          rules: [
            { when, respond: { status: 200, body: "yes" } },
            { respond: { status: 200, body: "no" } },
          ],
        }],
        plugins: [{
          use: `${host.origin}/plugin.ts`,
          options: { days: ["sun"] },
        }],
      });
    await using proxy = await startProxy(config('acme_day_in("x", true)'));
    const ask = async (when: string, target: string) => {
      await proxy.reload(config(when));
      using client = await HttpClient.connect(proxy.port());
      const { status, text } = await client.get(target);
      return status === 200 ? text : status;
    };
    await t.step("alone and in expressions", async () => {
      const mon = 'acme_day_in("mon|tue", true)';
      assertEquals(await ask(mon, "/?day=tue"), "yes");
      assertEquals(await ask(mon, "/?day=sun"), "no");
      assertEquals(await ask('acme_day_in("mon", false)', "/?day=sun"), "yes");
      assertEquals(await ask(`!${mon} && req_path_in("/", false)`, "/"), "yes");
    });
    await t.step("arguments that it refuses", async () => {
      const [problem = ""] = await problemsOf(() =>
        proxy.reload(config('acme_day_in("", true)'))
      );
      assertStringIncludes(problem, 'products "site" rules[0].when');
      assertStringIncludes(problem, "name a day");
    });
    await t.step("an unknown one, with the one that may be meant", async () => {
      const [problem = ""] = await problemsOf(() =>
        proxy.reload(config('acme_dayin("mon", true)'))
      );
      assertStringIncludes(problem, 'products "site" rules[0].when');
      assertStringIncludes(problem, "found `acme_dayin`");
      assertStringIncludes(problem, "did you mean `acme_day_in`");
    });
    for (const name of ["acme_broken", "acme_promise"]) {
      await t.step(`${name} fails: the plugin's failure, counted`, async () => {
        await proxy.reload(config(`${name}()`));
        using client = await HttpClient.connect(proxy.port());
        await client.send(
          "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n",
        );
        const { status, text } = await client.response();
        assertEquals([status, JSON.parse(text).code], [500, "handler_error"]);
        const { metrics } = await proxy.report();
        assertEquals(
          metricValue(metrics, "headrace_handler_errors_total", {
            plugin: "weekday",
            point: name,
          }),
          1,
        );
      });
    }
  });
}

Deno.test("a condition whose name is taken is refused, naming plugin and primitive", async () => {
  const brings = (name: string) => ({
    use: dataPlugin(`export default {
      name: "brings-${name}",
      setup: () => ({ conditions: { ${name}: () => () => true } }),
    };`),
  });
  const [own = ""] = await problemsOf(() =>
    startProxy(pluginConfig(1, { plugins: [brings("req_path_in")] }))
  );
  const [twice = ""] = await problemsOf(() =>
    startProxy(
      pluginConfig(1, {
        plugins: [brings("acme_x"), { ...brings("acme_x"), name: "second" }],
      }),
    )
  );

  assertStringIncludes(own, 'plugin "brings-req_path_in"');
  assertStringIncludes(own, "its name is taken: current value is req_path_in");
  assertStringIncludes(twice, 'plugin "second"');
});

Deno.test("a config written as JSON may use a plugin's conditions", async () => {
  const use = dataPlugin(`export default {
    name: "brings",
    setup: () => ({ conditions: { acme_x: () => () => true } }),
  };`);
  await using proxy = await startProxyWith({
    products: [{
      name: "site",
      default: true,
      rules: [{ when: "acme_x()", ...respond }],
    }],
    plugins: [{ use }],
  });
  using client = await HttpClient.connect(proxy.port());

  assertEquals((await client.get()).status, 200);
});
