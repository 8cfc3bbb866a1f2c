/**
 * The caches of several workers: what one forgets, the others forget.
 *
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { clientOnEach } from "../support/client_on_each.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { eventually } from "../support/eventually.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { startProxyWith } from "../support/proxy_with.ts";

const TELLTALE = dataPlugin(`export default {
  name: "telltale",
  setup: () => ({
    handlers: {
      readResponse: (_, { headers }) => headers.set("x-worker", self.name),
    },
  }),
};`);

Deno.test("an unsafe request, a PURGE and the admin interface reach all workers' caches", async () => {
  let version = 1;
  await using backend = serveHttpBackend(({ method }) =>
    new Response(method === "GET" ? `${version}` : null, {
      headers: { "cache-control": "max-age=60", "cache-tag": "t" },
    })
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [{ use: TELLTALE }],
    cache: { purgeFrom: ["127.0.0.1"] },
    workers: 2,
  });
  using both = await clientOnEach(proxy.port());
  const texts = async () => [
    (await both.clients[0].get("/x")).text,
    (await both.clients[1].get("/x")).text,
  ];
  const send = async (method: string) => {
    const [client] = both.clients;
    await client.send(`${method} /x HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await client.response();
  };
  const forget: (() => Promise<unknown>)[] = [
    () => send("DELETE"),
    () => send("PURGE"),
    () => proxy.supervisor.purgeCache({ kind: "tag", tag: "t" }),
  ];
  assertEquals(await texts(), ["1", "1"]);
  for (const one of forget) {
    version++;
    await one();
    await eventually(
      `version ${version} from both`,
      async () => (await texts()).every((text) => text === `${version}`),
    );
  }
  const { cache } = await proxy.report();
  assertEquals(cache?.capacity, 256 << 20);
});
