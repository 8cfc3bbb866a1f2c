/** Options of clients' connections on listeners without TLS. */
import { assertEquals } from "../support/assert.ts";
import { HttpClient } from "../support/http_client.ts";
import { isKeptAlive } from "../support/kept_alive.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";

function config(keepAlive: boolean, workers: number) {
  return {
    listener: { socket: { keepAlive } },
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200, body: "ok" } }],
    }],
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
