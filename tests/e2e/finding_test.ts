/**
 * Which backend a request finds: policies, cookies, slots, retries.
 *
 * @module
 */
import type { BalanceMember } from "../../core/plugin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { bytesOf, writeAll } from "../support/byte_streams.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import { type ClientResponse, HttpClient } from "../support/http_client.ts";
import { inlinePlugin } from "../support/inline_plugin.ts";
import type { TestProxy } from "../support/proxy.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { serveEach, serveScript } from "../support/scripted_backend.ts";

/** Nobody listens there. */
const REFUSED = "http://127.0.0.1:1";

/** One answer to a GET with these fields. */
async function ask(
  client: HttpClient,
  headers: Record<string, string> = {},
): Promise<ClientResponse> {
  const lines = Object.entries({ host: "x", ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`);
  await client.send(`GET / HTTP/1.1\r\n${lines.join("")}\r\n`);
  return await client.response();
}

async function answers(
  proxy: TestProxy,
  requests: number,
  headers: Record<string, string> = {},
): Promise<string[]> {
  using client = await HttpClient.connect(proxy.port());
  const all: string[] = [];
  for (let i = 0; i < requests; i++) {
    const { status, text } = await ask(client, headers);
    all.push(status === 200 ? parseEcho(text).backend : String(status));
  }
  return all;
}

function count(all: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const each of all) counts[each] = (counts[each] ?? 0) + 1;
  return counts;
}

Deno.test("balance: hash keeps a header's value with its backend", async () => {
  await using a = serveEcho("a");
  await using b = serveEcho("b");
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "hash", hash: { key: "header:X-User" } },
  });
  const seen = new Set<string>();
  for (let user = 0; user < 20; user++) {
    const of = new Set(await answers(proxy, 3, { "x-user": `u${user}` }));
    assertEquals(of.size, 1);
    for (const each of of) seen.add(each);
  }
  assertEquals(seen.size, 2);
});

Deno.test("balance: leastconn avoids who is busy", async () => {
  const gate = Promise.withResolvers<void>();
  await using slow = serveEach(async (connection) => {
    await gate.promise;
    await connection.respond(200, "slow");
  });
  await using quick = serveEcho("quick");
  await using proxy = await startProxyWith({
    backends: [slow.url, quick.url],
    cluster: { balance: "leastconn" },
  });
  using waiting = await HttpClient.connect(proxy.port());
  const first = waiting.get();
  await eventually("the slow one's request", async () => {
    const { backends } = await proxy.report();
    return backends.some(({ load }) => load === 1);
  });
  const { quick: quickly } = count(await answers(proxy, 10));
  assertEquals(quickly, 10);
  gate.resolve();
  assertEquals((await first).text, "slow");
});

Deno.test("balance: a plugin's policy; where it fails, round robin steps in", async () => {
  await using a = serveEcho("a");
  await using b = serveEcho("b");
  const plugin = inlinePlugin({
    name: "picky",
    setup: () => ({
      balancers: {
        last: () => {
          let members: readonly BalanceMember[] = [];
          return {
            update: (all) => members = all,
            pick: ({ request }) => {
              if (request!.headers.has("x-fail")) throw new Error("no idea");
              return members.at(-1);
            },
          };
        },
      },
    }),
  });
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "last" },
    plugins: [{ use: plugin }],
  });
  assertEquals(count(await answers(proxy, 4)), { b: 4 });
  assertEquals(count(await answers(proxy, 4, { "x-fail": "1" })), {
    a: 2,
    b: 2,
  });
});

Deno.test("sticky: a cookie leads back to its backend, over a reload too, and a forged one nowhere", async () => {
  await using a = serveEcho("a");
  await using b = serveEcho("b");
  const parts = {
    backends: [a.url, b.url],
    cluster: { sticky: { cookie: "HRS" } },
  };
  await using proxy = await startProxyWith(parts);
  using client = await HttpClient.connect(proxy.port());
  const first = await client.get();
  const mine = parseEcho(first.text).backend;
  const line = first.headers.get("set-cookie")!;
  assert(/^HRS=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/.test(line), line);
  const cookie = line.slice(0, line.indexOf(";"));
  await proxy.reload(configWith(parts));
  for (let i = 0; i < 4; i++) {
    const again = await ask(client, { cookie });
    assertEquals(parseEcho(again.text).backend, mine);
    assertEquals(again.headers.get("set-cookie"), null);
  }
  const forged = await Promise.all(
    [1, 2, 3, 4].map(() => answers(proxy, 1, { cookie: `${cookie}x` })),
  );
  assertEquals(new Set(forged.flat()).size, 2);
});

Deno.test("sticky: another backend takes over where the cookie's is out", async () => {
  await using a = serveEcho("a");
  await using proxy = await startProxyWith({
    backends: [REFUSED, a.url],
    cluster: { sticky: { cookie: "HRS" } },
  });
  using client = await HttpClient.connect(proxy.port());
  for (let i = 0; i < 3; i++) {
    const { status, headers, text } = await client.get();
    assertEquals([status, parseEcho(text).backend], [200, "a"]);
    assert(headers.get("set-cookie") !== null);
  }
});

Deno.test("maxConnections: the next request waits for a slot, and 503 where the queue is full or the wait too long", async () => {
  const gate = Promise.withResolvers<void>();
  let served = 0;
  await using backend = serveEach(async (connection) => {
    served++;
    await gate.promise;
    await connection.respond(200, "ok");
  });
  await using proxy = await startProxyWith({
    cluster: {
      backends: [{ id: "a", url: backend.url, maxConnections: 1 }],
      queue: { size: 1, timeout: "1s" },
    },
  });
  using first = await HttpClient.connect(proxy.port());
  using second = await HttpClient.connect(proxy.port());
  using third = await HttpClient.connect(proxy.port());
  const one = first.get();
  await eventually("the first request", () => served === 1);
  const two = second.get();
  await eventually("a request in the queue", async () => {
    const { sessions } = await proxy.report();
    return sessions.some(({ state }) => state === "queue");
  });
  assertEquals((await third.get()).status, 503);
  const late = await two;
  assertEquals([late.status, served], [503, 1]);
  const four = second.get();
  await eventually("a request in the queue", async () => {
    const { sessions } = await proxy.report();
    return sessions.some(({ state }) => state === "queue");
  });
  gate.resolve();
  assertEquals([(await one).text, (await four).text, served], ["ok", "ok", 2]);
});

Deno.test("maxConnections: a client that leaves the queue takes no slot", async () => {
  const gate = Promise.withResolvers<void>();
  let served = 0;
  await using backend = serveEach(async (connection) => {
    served++;
    await gate.promise;
    await connection.respond(200, "ok");
  });
  await using proxy = await startProxyWith({
    cluster: { backends: [{ id: "a", url: backend.url, maxConnections: 1 }] },
  });
  using first = await HttpClient.connect(proxy.port());
  const one = first.get();
  await eventually("the first request", () => served === 1);
  {
    const conn = await ResettableConn.connect(proxy.port());
    await writeAll(conn, bytesOf("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    await eventually("a request in the queue", async () => {
      const { sessions } = await proxy.report();
      return sessions.some(({ state }) => state === "queue");
    });
    await conn.reset();
  }
  await eventually("an empty queue", async () => {
    const { sessions } = await proxy.report();
    return !sessions.some(({ state }) => state === "queue");
  });
  gate.resolve();
  assertEquals((await one).text, "ok");
  assertEquals(served, 1);
  using third = await HttpClient.connect(proxy.port());
  assertEquals((await third.get()).text, "ok");
});

Deno.test("retries: statuses are tried elsewhere, and the last one is the answer", async () => {
  await using sick = serveEach((connection) => connection.respond(503, "sick"));
  await using well = serveEcho("well");
  await using proxy = await startProxyWith({
    backends: [sick.url, well.url],
    cluster: { retries: { max: 2, causes: ["503"] } },
  });
  assertEquals(count(await answers(proxy, 10)), { well: 10 });
  await using alone = await startProxyWith({
    backends: [sick.url],
    cluster: { retries: { causes: ["503"] } },
  });
  assertEquals(await answers(alone, 2), ["503", "503"]);
});

Deno.test("retries: an upload up to the bound is sent again, whole", async () => {
  await using dying = serveScript(async (connection) => {
    const request = await connection.request();
    await connection.body(Number(request!.headers.get("content-length")));
  });
  await using well = serveEach(async (connection, { headers }) => {
    const body = await connection.body(Number(headers.get("content-length")));
    await connection.respond(200, body);
  });
  await using proxy = await startProxyWith({
    backends: [dying.url, well.url],
    cluster: { retries: { bufferBytes: "32KiB" } },
  });
  using client = await HttpClient.connect(proxy.port());
  for (const [length, status] of [[10, 200], [32 << 10, 200]] as const) {
    const body = "x".repeat(length);
    await client.send(
      `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`,
    );
    const response = await client.response();
    assertEquals([response.status, response.text === body], [status, true]);
  }
});

Deno.test("retries: max 0 tries nobody else", async () => {
  await using well = serveEcho("well");
  await using proxy = await startProxyWith({
    backends: [REFUSED, well.url],
    cluster: { retries: { max: 0 } },
  });
  assertEquals(count(await answers(proxy, 4)), { "502": 2, well: 2 });
});

Deno.test("blackhole: a share is answered 503 on purpose", async () => {
  await using a = serveEcho("a");
  await using proxy = await startProxyWith({
    backends: [a.url],
    cluster: { blackhole: 1 },
  });
  assertEquals(count(await answers(proxy, 10)), { "503": 5, a: 5 });
});
