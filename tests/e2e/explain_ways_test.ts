/**
 * Explanations of what depends on TLS, operators and bodies, held against what
 * happens.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import type { DescribedRequest } from "../../core/explain/described_request.ts";
import type { Explanation } from "../../core/explain/explanation.ts";
import { handshake, startDialing } from "../support/dialer_proxy.ts";
import { FakeDialer } from "../support/fake_dialer.ts";
import { bytesOf, readAll, textOf, writeAll } from "../support/byte_streams.ts";
import { makeAuthority } from "../support/certificates.ts";
import { serveEach } from "../support/scripted_backend.ts";
import { freePorts } from "../support/free_ports.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { serveNamed } from "../support/named_backend.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";
import { connectTls } from "../support/tls_client.ts";
import { HELLO, tlsSite } from "../support/tls_site.ts";

function pointsOf({ points }: Explanation): string[] {
  return points.map(({ point }) => point);
}

Deno.test("explain: 421 where the certificate of the URL's name does not cover the Host", async () => {
  await using s = await tlsSite();
  const seen: string[] = [];
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.certificates, verifyHost: true } },
    products: HELLO,
    plugins: [handlersPlugin("notes", {
      transactionStart: () => void seen.push("transactionStart"),
      readRequestHeader: () => void seen.push("readRequestHeader"),
      readResponse: () => void seen.push("readResponse"),
    })],
  });
  const rows = [
    ["x.w.test", "x.w.test"],
    ["x.w.test", "default.test"],
    ["default.test", "x.w.test"],
    ["x.w.test", "a.b.w.test"],
  ] as const;
  for (const [name, host] of rows) {
    using client = await connectTls(proxy.port(), { ca: s.ca.cert, name });
    seen.length = 0;
    const { status } = await client.get("/", host);
    const explanation = await proxy.supervisor.explain({
      url: `https://${name}:${proxy.port()}/`,
      headers: [["Host", host]],
    });
    const { outcome } = explanation;
    assert(outcome.kind === "respond" || outcome.kind === "refuse");
    assertEquals([host, outcome.status], [host, status]);
    assertEquals(
      pointsOf(explanation).filter((point) => seen.includes(point)),
      seen,
    );
    assertEquals(
      pointsOf(explanation).includes("readRequestHeader"),
      seen.includes("readRequestHeader"),
    );
  }
});

Deno.test("explain: a name without a certificate is noted where strictSni is on", async () => {
  await using s = await tlsSite();
  await using proxy = await startProxyWith({
    listener: { tls: { certificates: s.certificates, strictSni: true } },
    products: HELLO,
  });
  const notes = async (name: string) => {
    const url = `https://${name}:${proxy.port()}/`;
    return (await proxy.supervisor.explain({ url })).notes;
  };
  assertEquals(await notes("x.w.test"), []);
  const [note] = await notes("stranger.test");
  assert(note?.startsWith("No certificate covers the URL's name"));
  await assertRejects(() =>
    connectTls(proxy.port(), { ca: s.ca.cert, name: "stranger.test" })
      .then((client) => client.get())
  );
});

Deno.test("explain: 503 at an address that an operator has paused, and at no other one", async () => {
  await using a = serveNamed("a");
  const [first = 0] = freePorts(2);
  await using proxy = await startProxyWith({
    backends: [a.url],
    listener: { address: `127.0.0.1:${first}-${first + 1}` },
  });
  const compare = async () => {
    const statuses: number[] = [];
    for (const port of [first, first + 1]) {
      using client = await HttpClient.connect(port);
      const { status } = await client.get();
      const url = `http://127.0.0.1:${port}/`;
      const { outcome } = await proxy.supervisor.explain({ url });
      assertEquals(
        [port, outcome.kind === "respond" ? outcome.status : 200],
        [port, status],
      );
      statuses.push(status);
    }
    return statuses;
  };
  assertEquals(await compare(), [200, 200]);
  const second = ({ address }: { readonly address: string }) =>
    address.endsWith(`:${first + 1}`);
  assertEquals(await proxy.supervisor.pause(second, true), true);
  assertEquals(await compare(), [200, 503]);
  await proxy.supervisor.pause(() => true, true);
  assertEquals(await compare(), [503, 503]);
  await proxy.supervisor.pause(() => true, false);
  assertEquals(await compare(), [200, 200]);
});

Deno.test("explain: rules that look into bodies, and buffers of clusters", async () => {
  await using backend = serveEach(async (connection, { headers }) => {
    await connection.body(Number(headers.get("content-length") ?? 0));
    await connection.respond(200, "ok");
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    clusters: [{
      name: "small",
      requestBuffer: { bytes: 20 },
      retries: { bufferBytes: 1 },
      backends: [{ url: backend.url }],
    }],
    products: [{
      name: "chat",
      default: true,
      rules: [
        { when: 'req_body_json_in("model", "s", false)', cluster: "small" },
        { cluster: "main" },
      ],
    }],
  });
  const url = `http://127.0.0.1:${proxy.port()}/`;
  const explain = (parts: Omit<DescribedRequest, "url">) =>
    proxy.supervisor.explain({ url, ...parts });
  const type = ["Content-Type", "application/json"] as const;
  const rows: readonly (readonly [string, string, number])[] = [
    ['{"model":"s"}', "small", 200],
    ['{"model":"l"}', "main", 200],
    ['{"model":"s","x":"long"}', "none", 413],
    [`"${"x".repeat(1 << 20)}"`, "none", 413],
  ];
  using client = await HttpClient.connect(proxy.port());
  for (const [body, cluster, status] of rows) {
    const told = await explain({ headers: [type], body, method: "PUT" });
    const { outcome } = told;
    assertEquals(told.cluster?.name ?? "none", cluster);
    assertEquals(outcome.kind === "refuse" ? outcome.status : 200, status);
    await client.send(
      `PUT / HTTP/1.1\r\nHost: x\r\n${
        type.join(": ")
      }\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    // What is refused by its length alone is not to be sent.
    if (body.length < 1 << 20) await client.send(body);
    assertEquals((await client.response()).status, status);
  }
  // What is buffered can be sent again, whatever `retries.bufferBytes` says.
  const kept = await explain({
    headers: [type],
    body: rows[0]![0],
    method: "PUT",
  });
  assertEquals(kept.cluster?.retries.repeatable, true);
  assert(pointsOf(kept).includes("requestBuffered"));
  assertEquals(kept.request?.method, "PUT");
  assertEquals((await explain({ body: "x" })).request?.method, "POST");
  for (
    const headers of [
      [type, ["Content-Length", "5"]],
      [type, ["Transfer-Encoding", "chunked"]],
    ] as const
  ) {
    await assertRejects(
      () => explain({ headers, method: "POST" }),
      Error,
      'Cannot explain the request without its body: rule 1 of the product "chat" asks for it',
    );
  }
  await assertRejects(
    () => explain({ headers: [type, ["Content-Length", "5"]], body: "{}" }),
    Error,
    "whose Content-Length is not its body's 2 bytes",
  );
});

Deno.test("explain: a WebSocket session of a dialer's, and a plain request there", async () => {
  const seen: string[] = [];
  await using proxy = await startDialing(new FakeDialer(), {
    plugins: [handlersPlugin("notes", {
      cacheLookupComplete: () => void seen.push("cacheLookupComplete"),
      forward: () => void seen.push("forward"),
      readResponse: () => void seen.push("readResponse"),
    })],
  });
  const url = `http://shop.example:${proxy.port()}/chat`;
  const [, , ...lines] = handshake().trimEnd().split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const [name = "", value = ""] = line.split(": ");
    return [name, value];
  });
  const asked = [
    [headers, handshake()],
    [[], "GET /chat HTTP/1.1\r\nHost: shop.example\r\n\r\n"],
  ] as const;
  const outcomes: unknown[] = [];
  for (const [headers, bytes] of asked) {
    const told = await proxy.supervisor.explain({ url, headers });
    using client = await HttpClient.connect(proxy.port());
    seen.length = 0;
    await client.send(bytes);
    const { status } = await client.response();
    const points = pointsOf(told).filter((point) =>
      ["cacheLookupComplete", "forward", "readResponse"].includes(point)
    );
    assertEquals(points, seen);
    const { outcome } = told;
    outcomes.push([
      status,
      outcome.kind === "refuse" ? outcome.status : outcome,
    ]);
  }
  assertEquals(outcomes, [
    [101, { kind: "forward", backend: undefined, dialer: "fake" }],
    [503, 503],
  ]);
});

Deno.test("explain: TLS by name on layer 4", async () => {
  const sni = { "a.test": "a", "*.b.test": "b" };
  const authority = await makeAuthority();
  const identity = await authority.issue({ names: ["a.test", "*.b.test"] });
  const serve = (name: string) =>
    serveTcpBackend(async (conn) => {
      await writeAll(conn, bytesOf(name));
      await conn.closeWrite();
    }, { identity });
  await using one = await serve("a");
  await using two = await serve("b");
  for (const own of [undefined, "b"]) {
    await using proxy = await startProxyWith({
      listener: { protocol: "tcp", sni, ...own && { cluster: own } },
      cluster: {
        name: "a",
        backends: [{ id: "a", url: `tcp://127.0.0.1:${one.port}` }],
      },
      clusters: [{
        name: "b",
        backends: [{ id: "b", url: `tcp://127.0.0.1:${two.port}` }],
      }],
    });
    const explain = (host: string) =>
      proxy.supervisor.explain({ url: `tcp://${host}:${proxy.port()}` });
    const served = async (host: string) => {
      const conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: proxy.port(),
      });
      try {
        using tls = await Deno.startTls(conn, {
          hostname: host,
          caCerts: [authority.cert],
        });
        return textOf(await readAll(tls));
      } catch {
        // No handshake came about.
        return "none";
      }
    };
    for (const host of ["a.test", "x.b.test", "A.test", "b.test"]) {
      const { outcome, notes } = await explain(host);
      const told = outcome.kind === "forward" ? outcome.backend : outcome;
      const name = host.toLowerCase();
      if (name === "b.test") {
        assertEquals(notes, ["sni has nothing for the name b.test."]);
        assertEquals(
          told,
          own ?? {
            kind: "refuse",
            status: 0,
            code: "tls_name_unknown",
            why: "No cluster for the server name b.test",
          },
        );
        // The certificate has no such name, whoever shows it.
        assertEquals(await served(host), "none");
        continue;
      }
      assertEquals([host, told], [host, await served(host)]);
      assertEquals(notes, [
        `sni leads TLS for the name ${name} to the cluster ${told}.`,
      ]);
    }
    assertEquals((await explain("127.0.0.1")).notes, [
      "TLS asks for no name at an address: sni does not count.",
    ]);
  }
});
