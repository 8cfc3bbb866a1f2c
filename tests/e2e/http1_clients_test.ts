/** Clients as people use them: Deno's fetch, node:http with its agent, curl. */
import { Agent, request, type RequestOptions } from "node:http";
import { assert, assertEquals } from "../support/assert.ts";
import { patternBytes } from "../support/byte_streams.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveRaw } from "../support/raw_backend.ts";

/** A backend that tells what it got. */
function serveMirror() {
  return serveHttpBackend(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/empty") return new Response(null, { status: 204 });
    if (pathname === "/redirect") {
      return new Response(null, { status: 302, headers: { location: "/to" } });
    }
    if (pathname === "/stream") return new Response(counting(200));
    const body = new Uint8Array(await request.arrayBuffer());
    const headers = {
      "x-method": request.method,
      "x-length": `${body.length}`,
    };
    return new Response(body, { headers });
  });
}

/** So many pieces of 10,000 bytes. */
function counting(pieces: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at === pieces) controller.close();
      else controller.enqueue(new Uint8Array(10_000).fill(at++));
    },
  });
}

Deno.test("Deno's fetch: methods, bodies of both framings, statuses, streams", async () => {
  await using backend = serveMirror();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  const body = patternBytes(300_000);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    const response = await fetch(proxy.url("/"), { method, body });
    assertEquals(response.headers.get("x-method"), method);
    assertEquals(await response.bytes(), body);
  }
  const streamed = await fetch(proxy.url("/"), {
    method: "POST",
    body: counting(50),
  });
  assertEquals(streamed.headers.get("x-length"), "500000");
  await streamed.body?.cancel();

  const head = await fetch(proxy.url("/"), { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  const empty = await fetch(proxy.url("/empty"));
  assertEquals([empty.status, await empty.text()], [204, ""]);
  const redirected = await fetch(proxy.url("/redirect"));
  assertEquals(new URL(redirected.url).pathname, "/to");
  await redirected.body?.cancel();
  const stream = await (await fetch(proxy.url("/stream"))).bytes();
  assertEquals(stream.length, 2_000_000);
  assert(stream.every((byte, i) => byte === Math.floor(i / 10_000)));
});

Deno.test("Deno's fetch: 200 requests at once are answered each with its own", async () => {
  await using backend = serveMirror();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  const texts = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const options = { method: "POST", body: `request ${i}` };
      return await (await fetch(proxy.url("/"), options)).text();
    }),
  );
  assertEquals(texts, texts.map((_, i) => `request ${i}`));
});

Deno.test("Deno's fetch: an aborted response does not disturb the next one", async () => {
  await using backend = serveMirror();
  await using proxy = await startProxyWith({ backends: [backend.url] });
  for (let i = 0; i < 5; i++) {
    const abort = new AbortController();
    const response = await fetch(proxy.url("/stream"), {
      signal: abort.signal,
    });
    const reader = response.body!.getReader();
    await reader.read();
    abort.abort();
    await reader.cancel().catch(() => {});
    const next = await fetch(proxy.url("/"), { method: "POST", body: "next" });
    assertEquals(await next.text(), "next");
  }
});

Deno.test("node:http with a keep-alive agent: one connection, expectation, interim responses", async () => {
  const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  await using backend = serveRaw([
    ok,
    ok,
    { early: true, data: "HTTP/1.1 100 Continue\r\n\r\n", then: ok },
    `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n${ok}`,
  ]);
  await using proxy = await startProxyWith({ backends: [backend.url] });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  const ask = (options: RequestOptions, body?: string, wait = false) =>
    new Promise<{ status?: number; text: string; events: string[] }>(
      (resolve, reject) => {
        const events: string[] = [];
        const outgoing = request(proxy.url("/"), { agent, ...options });
        outgoing.on("error", reject);
        outgoing.on("continue", () => {
          events.push("continue");
          outgoing.end(body);
        });
        outgoing.on("information", ({ statusCode }) => {
          events.push(`${statusCode}`);
        });
        outgoing.on("response", (incoming) => {
          ports.add(incoming.socket.localPort);
          let text = "";
          incoming.on("data", (chunk) => text += chunk);
          incoming.on("end", () => {
            const { statusCode: status } = incoming;
            resolve({ ...(status && { status }), text, events });
          });
        });
        if (wait) outgoing.flushHeaders();
        else outgoing.end(body);
      },
    );
  try {
    assertEquals((await ask({})).text, "ok");
    assertEquals((await ask({ method: "POST" }, "hello")).text, "ok");
    const expecting = await ask(
      {
        method: "POST",
        headers: { expect: "100-continue", "content-length": 5 },
      },
      "world",
      true,
    );
    assertEquals([expecting.status, expecting.text], [200, "ok"]);
    assert(expecting.events.includes("continue"), `${expecting.events}`);
    const hinted = await ask({});
    assertEquals([hinted.status, hinted.text], [200, "ok"]);
    assertEquals(
      backend.requests.map(({ body }) => body),
      ["", "hello", "world", ""],
    );
    assertEquals(ports.size, 1);
    assertEquals(backend.connections.length, 1);
  } finally {
    agent.destroy();
  }
});

const curl = await curlVersion();
if (curl === undefined) console.log("No curl here: its tests are left out.");

Deno.test({
  name: "curl: bodies of both framings, keep-alive, expectation, HTTP/1.0",
  ignore: curl === undefined,
  async fn() {
    await using backend = serveMirror();
    await using proxy = await startProxyWith({ backends: [backend.url] });
    const file = await Deno.makeTempFile();
    try {
      const body = patternBytes(3_000_000);
      await Deno.writeFile(file, body);
      const url = proxy.url("/");
      const sized = await runCurl(["-T", file, url]);
      assertEquals(sized, body);
      const chunked = await runCurl([
        "-H",
        "Transfer-Encoding: chunked",
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        `@${file}`,
        url,
      ]);
      assertEquals(chunked, body);
      const old = await runCurl(["--http1.0", proxy.url("/stream")]);
      assertEquals(old.length, 2_000_000);
      const connects = await runCurl([
        "-w",
        "%{num_connects}\n",
        url,
        url,
        url,
      ]);
      assertEquals(new TextDecoder().decode(connects), "1\n0\n0\n");
      const head = await runCurl(["-I", url]);
      assert(new TextDecoder().decode(head).startsWith("HTTP/1.1 200 OK\r\n"));
    } finally {
      await Deno.remove(file);
    }
  },
});

async function curlVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("curl", { args: ["--version"] })
      .output();
    return new TextDecoder().decode(stdout).split("\n")[0];
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

async function runCurl(args: readonly string[]): Promise<Uint8Array> {
  const command = new Deno.Command("curl", {
    args: ["-sS", "--fail", "--max-time", "10", ...args],
    stderr: "piped",
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return stdout;
}
