/** Options of clients' connections. */
import { RefusedError } from "../../core/data_plane/control.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { FakeClock } from "../support/clock.ts";
import { dataPlugin } from "../support/data_plugin.ts";
import { HttpClient } from "../support/http_client.ts";
import { isKeptAlive } from "../support/kept_alive.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import { HELLO, tlsSite } from "../support/tls_site.ts";

function config(keepAlive: boolean, workers: number) {
  return {
    listener: { socket: { keepAlive } },
    products: HELLO,
    workers,
  };
}

for (const workers of [1, 2]) {
  Deno.test(`${workers} workers: a reload that changes socket.keepAlive counts for connections from then on`, async () => {
    await using proxy = await startProxyWith(config(true, workers));
    for (const keepAlive of [true, false, true]) {
      await proxy.reload(configWith(config(keepAlive, workers)));
      // The kernel spreads them over the workers.
      for (let i = 0; i < 4; i++) {
        const conn = await Deno.connect({ port: proxy.port() });
        using client = new HttpClient(conn);
        assertEquals((await client.get()).status, 200);
        const { port: remote } = conn.localAddr as Deno.NetAddr;
        const ends = { local: proxy.port(), remote };
        assertEquals(await isKeptAlive(ends), keepAlive);
      }
    }
  });
}

/** Whether the kernel keeps a new client of a TLS listener alive. */
async function keepsAlive(port: number, caCerts: string[]): Promise<boolean> {
  const conn = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts });
  using client = new HttpClient(conn);
  assertEquals((await client.get()).status, 200);
  const { port: remote } = conn.localAddr as Deno.NetAddr;
  return await isKeptAlive({ local: port, remote });
}

Deno.test("a TLS listener goes on with its options where a reload with others is refused", async () => {
  await using site = await tlsSite();
  const config = (keepAlive: boolean, listeners: readonly object[]) => ({
    listener: { socket: { keepAlive }, tls: { certificates: site.single } },
    listeners,
    products: HELLO,
  });
  await using proxy = await startProxyWith(config(true, []));
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const other = { name: "other", address: `127.0.0.1:${taken.addr.port}` };
  await assertRejects(
    () => proxy.reload(configWith(config(false, [other]))),
    RefusedError,
  );
  assertEquals(await keepsAlive(proxy.port(), [site.ca.cert]), true);
});

Deno.test("2 workers: listeners go on with their options where a worker that had taken others is lost", async () => {
  await using site = await tlsSite();
  // The first one takes the config and ends, the second one refuses it behind that.
  const deadly = dataPlugin(`export default {
    name: "deadly",
    async setup() {
      if (self.name === "headrace-0") setTimeout(() => self.close(), 300);
      else {
        await new Promise((resolve) => setTimeout(resolve, 800));
        throw new Error("Not with me");
      }
      return {};
    },
  };`);
  const config = (keepAlive: boolean, plugins: readonly object[]) => ({
    listener: { socket: { keepAlive }, tls: { certificates: site.single } },
    plugins,
    products: HELLO,
    workers: 2,
  });
  // Its time stands: the first one does not come back.
  const clock = new FakeClock();
  await using proxy = await startProxyWith(config(true, []), { clock });
  assertEquals(await keepsAlive(proxy.port(), [site.ca.cert]), true);
  await assertRejects(
    () => proxy.reload(configWith(config(false, [{ use: deadly }]))),
    RefusedError,
    "Not with me",
  );
  assertEquals(await keepsAlive(proxy.port(), [site.ca.cert]), true);
});
