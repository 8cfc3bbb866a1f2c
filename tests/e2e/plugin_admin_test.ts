/**
 * A plugin's Hono app under the admin interface, over reloads and with several
 * workers.
 *
 * @module
 */
import { ModuleHost } from "../core/plugins/module_host.ts";
import { AdminClient } from "../support/admin_client.ts";
import { assertEquals } from "../support/assert.ts";
import { eventually } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { pluginConfig, WORKERS } from "../support/plugin_site.ts";
import { startProxy } from "../support/proxy.ts";

/** Counts requests in all workers, and tells the count. */
const PLUGIN = `
import { Hono } from "npm:hono@^4.13.0";
import type { Plugin } from "./types.ts";

export default {
  name: "counting",
  async setup({ shared, options }) {
    const hits = await shared.counter("hits");
    const app = new Hono();
    app.get("/hits", (context) => context.text(options.title + hits.value));
    app.post("/echo/:name", async (context) => {
      const { req } = context;
      return context.json({ name: req.param("name"), body: await req.json() });
    });
    return {
      handlers: { finish: () => void hits.add(1) },
      admin: app,
    };
  },
} satisfies Plugin<{ title: string }>;
`;

const TYPES = `export type Plugin<T> = any;`;

for (const workers of WORKERS) {
  Deno.test(`A plugin's Hono app answers operators (workers: ${workers})`, async () => {
    await using host = new ModuleHost({
      "/plugin.ts": PLUGIN,
      "/types.ts": TYPES,
    });
    const use = `${host.origin}/plugin.ts`;
    const configOf = (title: string) =>
      pluginConfig(workers, { plugins: [{ use, options: { title } }] });
    await using proxy = await startProxy(configOf("hits: "));
    const admin = new AdminClient(proxy);

    for (let i = 0; i < 4; i++) {
      using client = await HttpClient.connect(proxy.port());
      await client.get("/");
    }
    await eventually(
      "the fourth session's end is told",
      async () => await admin.get("/plugins/counting/hits") === "hits: 4",
    );

    const echo = await admin.ask("POST", "/plugins/counting/echo/a%20b", [1]);
    assertEquals(JSON.parse(echo.text), { name: "a b", body: [1] });
    const missing = await admin.ask("GET", "/plugins/counting/nothing");
    assertEquals(missing, { status: 404, text: "404 Not Found" });
    const { plugins: [listed] } = await admin.json("/api/plugins");
    assertEquals([listed.name, listed.points], ["counting", [
      "finish",
      "admin",
    ]]);

    await proxy.reload(configOf("so many: "));
    const told = await admin.get("/plugins/counting/hits");
    assertEquals(told, "so many: 4");
    await proxy.reload(pluginConfig(workers, {}));
    assertEquals(
      (await admin.ask("GET", "/plugins/counting/hits")).status,
      404,
    );
  });
}
