import { assertEquals, assertMatch } from "../support/assert.ts";
import { bytesOf, patternBytes, textOf } from "../support/byte_streams.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { type HttpBackend, serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxy, type TestProxy } from "../support/proxy.ts";

/** A proxy with so many workers before these backends; other hosts than these have no product. */
function startWith(
  workers: number,
  backends: readonly HttpBackend[],
  hosts: readonly string[] = [],
): Promise<TestProxy> {
  return startProxy(JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    products: [{
      name: "shop",
      ...(hosts.length === 0 ? { default: true } : { hosts }),
      rules: [{ cluster: "main" }],
    }],
    clusters: [{
      name: "main",
      backends: backends.map(({ url }, i) => ({ id: `b${i}`, url })),
    }],
    workers,
    log: { level: "error" },
  }));
}

/** A backend that tells of the request and sends its body back. */
function serveMirror(): HttpBackend {
  return serveHttpBackend(async (request) => {
    const { pathname, search } = new URL(request.url);
    const headers = {
      "x-method": request.method,
      "x-target": pathname + search,
      "x-forwarded-for-seen": request.headers.get("x-forwarded-for") ?? "",
    };
    return new Response(await request.bytes(), { headers });
  });
}

for (const workers of [1, 2]) {
  const test = (name: string, run: () => Promise<void>) =>
    Deno.test(
      `HTTP with ${workers} worker${workers > 1 ? "s" : ""}: ${name}`,
      run,
    );

  test("a GET is forwarded with its target, the client's address added", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend]);
    const response = await fetch(proxy.url("/a/b?c=d"));
    await response.body?.cancel();
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("x-method"), "GET");
    assertEquals(response.headers.get("x-target"), "/a/b?c=d");
    assertEquals(response.headers.get("x-forwarded-for-seen"), "127.0.0.1");
  });

  test("a POST's body arrives, with its length or in chunks", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend]);
    const sized = await fetch(proxy.url(), { method: "POST", body: "sized" });
    assertEquals(await sized.text(), "sized");
    const chunked = await fetch(proxy.url(), {
      method: "POST",
      body: new ReadableStream({
        start(controller) {
          for (const piece of ["in ", "three ", "pieces"]) {
            controller.enqueue(bytesOf(piece));
          }
          controller.close();
        },
      }),
    });
    assertEquals(await chunked.text(), "in three pieces");
  });

  test("a response in chunks arrives piece by piece", async () => {
    const next: PromiseWithResolvers<void>[] = [
      Promise.withResolvers(),
      Promise.withResolvers(),
    ];
    await using backend = serveHttpBackend(() => {
      let sent = 0;
      return new Response(
        new ReadableStream({
          async pull(controller) {
            if (sent > 0) await next[sent - 1]!.promise;
            controller.enqueue(bytesOf(`piece ${sent++}`));
            if (sent > next.length) controller.close();
          },
        }),
      );
    });
    await using proxy = await startWith(workers, [backend]);
    const response = await fetch(proxy.url());
    const pieces: string[] = [];
    for await (const piece of response.body!) {
      pieces.push(textOf(piece));
      next[pieces.length - 1]?.resolve();
    }
    assertEquals(pieces, ["piece 0", "piece 1", "piece 2"]);
  });

  test("a connection carries many requests, the backend's connection too", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend]);
    using client = await HttpClient.connect(proxy.port());
    for (let i = 0; i < 10; i++) {
      const { status, headers } = await client.get(`/${i}`);
      assertEquals([status, headers.get("x-target")], [200, `/${i}`]);
    }
    const { backends, metrics } = await proxy.report();
    assertEquals(
      metricValue(metrics, "headrace_sessions_total", { listener: "web" }),
      1,
    );
    assertEquals([backends[0]!.ok, backends[0]!.idle], [10, 1]);
  });

  test("pipelined requests are answered in order", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend]);
    using client = await HttpClient.connect(proxy.port());
    await client.send(
      [1, 2, 3].map((i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""),
    );
    for (const i of [1, 2, 3]) {
      assertEquals((await client.response()).headers.get("x-target"), `/${i}`);
    }
  });

  test("bodies of 10 MB arrive intact both ways", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend]);
    const sent = patternBytes(10 << 20);
    const response = await fetch(proxy.url(), { method: "POST", body: sent });
    const got = await response.bytes();
    assertEquals(got.length, sent.length);
    assertEquals(await digest(got), await digest(sent));
  });

  test("HEAD, 204 and 304 have no body", async () => {
    await using backend = serveHttpBackend((request) => {
      const status = Number(new URL(request.url).pathname.slice(1));
      return new Response(status === 200 ? "body" : null, { status });
    });
    await using proxy = await startWith(workers, [backend]);
    using client = await HttpClient.connect(proxy.port());
    await client.send("HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n");
    const head = await client.response({ head: true });
    assertEquals([head.status, head.headers.get("content-length")], [200, "4"]);
    assertEquals((await client.get("/204")).status, 204);
    assertEquals((await client.get("/304")).status, 304);
    assertEquals((await client.get("/200")).text, "body");
  });

  test("an unknown host is 404 and keeps the connection", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend], ["shop.test"]);
    using client = await HttpClient.connect(proxy.port());
    const unknown = await client.get("/", "other.test");
    assertEquals(unknown.status, 404);
    assertEquals((await client.get("/", "shop.test")).status, 200);
    assertEquals(backend.requests, 1);
  });

  test("no backend that answers is 502", async () => {
    const backend = serveMirror();
    await backend[Symbol.asyncDispose]();
    await using proxy = await startWith(workers, [backend]);
    const response = await fetch(proxy.url());
    assertEquals(response.status, 502);
    assertMatch(await response.text(), /502/);
  });

  test("a malformed request is 400 and closes", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend]);
    using client = await HttpClient.connect(proxy.port());
    await client.send("GET / HTTP/1.1\r\nHost: a\r\nBad header\r\n\r\n");
    const { status, headers } = await client.response();
    assertEquals([status, headers.get("connection")], [400, "close"]);
    await inTime("the end", client.end());
    assertEquals(backend.requests, 0);
  });

  test("backends take turns", async () => {
    await using a = serveHttpBackend(() => new Response("a"));
    await using b = serveHttpBackend(() => new Response("b"));
    await using proxy = await startWith(workers, [a, b]);
    // On one connection: each worker has turns of its own.
    using client = await HttpClient.connect(proxy.port());
    const seen: string[] = [];
    for (let i = 0; i < 6; i++) seen.push((await client.get()).text);
    assertEquals(seen.slice(0, 4).sort(), ["a", "a", "b", "b"]);
    assertEquals(
      seen.every((name, i) => i === 0 || name !== seen[i - 1]),
      true,
    );
  });

  test("many clients at once: all are answered, all are counted", async () => {
    await using backend = serveMirror();
    await using proxy = await startWith(workers, [backend]);
    await inTime(
      "all answers",
      Promise.all(Array.from({ length: 40 }, async (_, i) => {
        using client = await HttpClient.connect(proxy.port());
        for (let n = 0; n < 5; n++) {
          const { headers } = await client.get(`/${i}/${n}`);
          assertEquals(headers.get("x-target"), `/${i}/${n}`);
        }
      })),
    );
    const counted = await eventually("all counted", async () => {
      const { metrics, sessionsOpen } = await proxy.report();
      return sessionsOpen === 0 && metrics;
    });
    assertEquals(
      metricValue(counted, "headrace_transactions_total", { class: "2xx" }),
      200,
    );
    assertEquals(metricValue(counted, "headrace_sessions_total"), 40);
  });
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(hash).toHex();
}
