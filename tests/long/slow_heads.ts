/**
 * What connections cost while nothing comes, after an answer, and while a head
 * comes slowly: run with `deno task long`, prints bytes per connection. Linux
 * only, as resident memory is.
 *
 * @module
 */
import { assert } from "../support/assert.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { measureProxy, type ProxyMemory } from "../support/proxy_memory.ts";

const CLIENTS = 2_000;

/** A head that half came may cost so many bytes over an idle connection (issue 3). */
const MAX_HALF_SENT = 8 << 10;

const HALF_SENT = latin1Bytes(
  `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(994)}`,
);
const WHOLE = latin1Bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

const CONFIG = {
  listeners: [{
    name: "web",
    address: "127.0.0.1:0",
    timeouts: { header: "10m", keepAlive: "10m" },
  }],
  products: [{
    name: "all",
    default: true,
    rules: [{ respond: { status: 200, body: "ok" } }],
  }],
  workers: 1,
};

for (const served of [false, true]) {
  const before = served ? "that were served before" : "that are new";
  Deno.test(`2,000 half-sent heads of 1 KiB cost at most 8 KiB each over idle connections ${before}`, async () => {
    await using proxy = await measureProxy(CONFIG);
    const clients: Deno.Conn[] = [];
    let received = 0;
    const memory = () => proxy.memory({ sessions: clients.length, received });
    const send = async (bytes: Uint8Array) => {
      for (const client of clients) await client.write(bytes);
      received += clients.length * bytes.length;
    };
    try {
      const start = await memory();
      for (let i = 0; i < CLIENTS; i++) {
        const { port } = proxy;
        clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      if (served) await send(WHOLE);
      const idle = await memory();
      print("idle", start, idle);
      await send(HALF_SENT);
      const slow = await memory();
      print("half-sent head over idle", idle, slow);
      const each = (slow.rss - idle.rss) / CLIENTS;
      assert(each <= MAX_HALF_SENT, `${each} bytes`);
    } finally {
      for (const client of clients) client.close();
    }
  });
}

function print(what: string, from: ProxyMemory, to: ProxyMemory): void {
  const each = (key: keyof ProxyMemory) =>
    `${key} ${Math.round((to[key] - from[key]) / CLIENTS)}`;
  console.log(
    `${what}, bytes a connection: ${each("rss")}, ${each("heap")}, ${
      each("external")
    }`,
  );
}
