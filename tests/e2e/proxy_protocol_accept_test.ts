/** PROXY headers from clients over sockets: the cases of haproxy.md §3.6, and what follows for sessions and requests. */
import type { ProxyFacts, SocketAddress } from "../../core/plugin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { patternBytes, readAll, writeAll } from "../support/byte_streams.ts";
import { FakeClock } from "../support/clock.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { latin1Bytes } from "../support/latin1.ts";
import { metricValue } from "../support/metric_value.ts";
import { startPlane, type TestPlane } from "../support/plane.ts";
import { tlv, v2Header } from "../support/proxy_headers.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import { RawClient } from "../support/raw_client.ts";
import { ResettableConn } from "../support/resettable_conn.ts";
import { echo, serveTcpBackend } from "../support/tcp_backend.ts";
import { ACCEPTED, REFUSED } from "../core/proxy_protocol/headers.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LINE = "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n";

const REQUIRE = { proxyProtocol: "require", trusted: ["127.0.0.1"] };
const ACCEPT = { proxyProtocol: "accept", trusted: ["127.0.0.1"] };
/** Nobody of these tests is among them. */
const ELSEWHERE = ["10.0.0.0/8"];

/** What accept and finish saw, one entry a session. */
class Seen {
  readonly accepted: {
    readonly remote: SocketAddress;
    readonly local: SocketAddress;
    readonly proxy: ProxyFacts | undefined;
  }[] = [];
  readonly finished: (string | undefined)[] = [];
  readonly plugin = handlersPlugin("sees", {
    accept: ({ remote, local, proxy }) => {
      this.accepted.push({ remote, local, proxy });
    },
    finish: (session) => {
      this.finished.push(session.error?.code);
    },
  });

  /** How many sessions have ended. */
  async ended(count: number): Promise<void> {
    await eventually(`${count} ends`, () => this.finished.length >= count);
  }
}

/** What a backend was told of a request that a client sent behind its header. */
async function headersBehind(
  header: string | Uint8Array,
  listener: object = REQUIRE,
  request = GET,
): Promise<Readonly<Record<string, string>>> {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener,
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    Uint8Array.of(
      ...typeof header === "string" ? latin1Bytes(header) : header,
      ...latin1Bytes(request),
    ),
  );
  const response = await client.response();
  assertEquals(response.status, 200);
  return parseEcho(response.text).headers;
}

Deno.test("P01–P14 headers that are whole: the session's ends, X-Forwarded-For, and the request in the same segment", async () => {
  const seen = new Seen();
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: REQUIRE,
    plugins: [seen.plugin],
  });
  for (const { id, name, bytes, ends } of ACCEPTED) {
    using client = await HttpClient.connect(proxy.port());
    await client.send(Uint8Array.of(...bytes, ...latin1Bytes(GET)));
    const { headers } = parseEcho((await client.response()).text);
    const what = `${id} ${name}`;
    const expected = ends?.source.address ?? "127.0.0.1";
    assertEquals(headers["x-forwarded-for"], expected, what);
    const { remote, local, proxy: facts } = seen.accepted.at(-1)!;
    assertEquals(facts!.peer.address, "127.0.0.1", what);
    assertEquals(remote, ends?.source ?? facts!.peer, what);
    assertEquals(
      local,
      ends?.destination ?? { address: "127.0.0.1", port: proxy.port() },
      what,
    );
    // The connection is like any other from here on.
    assertEquals((await client.get()).status, 200);
  }
  assertEquals(seen.accepted.length, ACCEPTED.length);
});

Deno.test("P07 a header byte by byte is accepted, and its request too", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: REQUIRE,
  });
  for (const header of [latin1Bytes(LINE), v2Header()]) {
    using client = await RawClient.connect(proxy.port());
    for (const byte of Uint8Array.of(...header, ...latin1Bytes(GET))) {
      await client.send(Uint8Array.of(byte));
      await new Promise((resolve) => setTimeout(resolve));
    }
    const [response] = await client.responses(1);
    const { headers } = parseEcho(response!.body);
    assertEquals(headers["x-forwarded-for"], "1.2.3.4");
  }
});

for (const listener of [REQUIRE, ACCEPT]) {
  Deno.test(`P04–P14 headers that break the protocol: ${listener.proxyProtocol} closes without an answer`, async () => {
    const seen = new Seen();
    await using backend = serveEcho();
    await using proxy = await startProxyWith({
      backends: [backend.url],
      listener,
      plugins: [seen.plugin],
    });
    const broken = REFUSED.filter(({ refused }) =>
      refused === "proxy_header_invalid"
    );
    for (const [i, { id, name, bytes }] of broken.entries()) {
      using client = await RawClient.connect(proxy.port());
      await client.send(Uint8Array.of(...bytes, ...latin1Bytes(GET)));
      await client.end();
      assertEquals(client.received, "", `${id} ${name}`);
      await seen.ended(i + 1);
      assertEquals(seen.finished.at(-1), "proxy_header_invalid", name);
    }
    assertEquals([seen.accepted.length, backend.accepted], [0, 0]);
    const { metrics } = await proxy.report();
    const count = (name: string, labels = {}) =>
      metricValue(metrics, name, labels);
    assertEquals(
      count("headrace_sessions_refused_total", {
        listener: "web",
        reason: "proxy_header_invalid",
      }),
      broken.length,
    );
    assertEquals(count("headrace_sessions_total"), broken.length);
    const warnings = proxy.logged.filter((line) =>
      line.includes("A connection was refused")
    );
    assertEquals(warnings.length, 1);
    assert(warnings[0]!.includes("The PROXY header of version"), warnings[0]);
  });
}

Deno.test("P08 require: who sends something else is closed without an answer, nothing of it is served", async () => {
  const seen = new Seen();
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: REQUIRE,
    plugins: [seen.plugin],
  });
  const others = REFUSED.filter(({ refused }) =>
    refused === "proxy_header_missing"
  );
  for (const [i, { name, bytes }] of others.entries()) {
    using client = await RawClient.connect(proxy.port());
    await client.send(bytes);
    await client.end();
    assertEquals(client.received, "", name);
    await seen.ended(i + 1);
  }
  assertEquals(seen.finished, others.map(() => "proxy_header_missing"));
  assertEquals([seen.accepted.length, backend.accepted], [0, 0]);
});

Deno.test("require: who connects and leaves was refused nothing", async () => {
  const seen = new Seen();
  await using proxy = await startProxyWith({
    listener: REQUIRE,
    plugins: [seen.plugin],
  });
  (await RawClient.connect(proxy.port())).close();
  const conn = await ResettableConn.connect(proxy.port());
  // One that is reset before it is accepted has no session.
  await eventually("both are there", async () => {
    const { metrics } = await proxy.report();
    return metricValue(metrics, "headrace_sessions_total") === 2;
  });
  await conn.reset();
  await seen.ended(2);
  assertEquals(seen.finished, ["client_closed", "client_closed"]);
  const { metrics } = await proxy.report();
  assertEquals(metricValue(metrics, "headrace_sessions_refused_total"), 0);
});

Deno.test("P16 an untrusted source: none and accept answer a header with 400, require closes", async () => {
  const seen = new Seen();
  await using backend = serveEcho();
  const answers: Record<string, number[]> = {};
  for (const proxyProtocol of ["none", "accept", "require"]) {
    await using proxy = await startProxyWith({
      backends: [backend.url],
      listener: { proxyProtocol, trusted: ELSEWHERE },
      plugins: [seen.plugin],
    });
    const statuses: number[] = answers[proxyProtocol] = [];
    for (const header of [LINE, v2Header(), ""]) {
      using client = await RawClient.connect(proxy.port());
      await client.send(header);
      await client.send(GET);
      await client.until("an answer", () => client.parse().length > 0);
      statuses.push(client.parse()[0]?.status ?? 0);
    }
  }
  assertEquals(answers, {
    none: [400, 400, 200],
    accept: [400, 400, 200],
    require: [0, 0, 0],
  });
  await seen.ended(9);
  assertEquals(
    seen.finished.filter((code) => code === "proxy_header_untrusted").length,
    3,
  );
  assertEquals(
    seen.accepted.map(({ proxy }) => proxy),
    Array(6).fill(undefined),
  );
});

Deno.test("accept: a trusted peer may send a header or not", async () => {
  const withHeader = await headersBehind(LINE, ACCEPT);
  assertEquals(withHeader["x-forwarded-for"], "1.2.3.4");
  for (const start of ["", "\r\n", "\r\n\r\n"]) {
    const headers = await headersBehind(start, ACCEPT);
    assertEquals(headers["x-forwarded-for"], "127.0.0.1");
  }
  const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
  const headers = await headersBehind("", ACCEPT, post);
  assertEquals(headers["x-forwarded-for"], "127.0.0.1");
});

/** A request whose fields say who asked for it. */
const FORWARDED =
  "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n\r\n";

Deno.test("X-Forwarded-* of whom the header names is believed only where that is trusted", async () => {
  // A client behind a TCP balancer: what it writes of itself is its invention.
  const client = await headersBehind(LINE, REQUIRE, FORWARDED);
  assertEquals(client["x-forwarded-for"], "9.9.9.9, 1.2.3.4");
  assertEquals(client["x-forwarded-proto"], "http");
  // An HTTP proxy behind a TCP balancer.
  const trusted = ["127.0.0.1", "1.2.3.0/24"];
  const proxied = await headersBehind(LINE, { ...REQUIRE, trusted }, FORWARDED);
  assertEquals(proxied["x-forwarded-for"], "9.9.9.9, 1.2.3.4");
  assertEquals(proxied["x-forwarded-proto"], "https");
  // The balancer for itself is the peer that it is.
  const own = await headersBehind("PROXY UNKNOWN\r\n", REQUIRE, FORWARDED);
  assertEquals(own["x-forwarded-for"], "9.9.9.9, 127.0.0.1");
  assertEquals(own["x-forwarded-proto"], "https");
});

Deno.test("request.clientAddress and trusted go by whom the header names", async () => {
  const told: [string, boolean][] = [];
  const plugin = handlersPlugin("reads", ({ verdict }) => ({
    readRequestHeader: ({ clientAddress, trusted }) => {
      told.push([clientAddress, trusted]);
      return verdict.respond({ status: 204 });
    },
  }));
  for (const trusted of [["127.0.0.1"], ["127.0.0.1", "1.2.3.4"]]) {
    await using proxy = await startProxyWith({
      listener: { ...REQUIRE, trusted },
      plugins: [plugin],
    });
    using client = await HttpClient.connect(proxy.port());
    await client.send(LINE + FORWARDED);
    assertEquals((await client.response()).status, 204);
  }
  assertEquals(told, [["1.2.3.4", false], ["9.9.9.9", true]]);
});

Deno.test("a header whose port is 0 names a client none the less", async () => {
  const headers = await headersBehind(
    "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n",
  );
  assertEquals(headers["x-forwarded-for"], "1.2.3.4");
});

Deno.test("the scheme is https where the header tells of the client's TLS", async () => {
  for (
    const { flags, scheme } of [
      { flags: 1, scheme: "https" },
      { flags: 0, scheme: "http" },
    ]
  ) {
    const tlvs = [tlv(0x20, [flags, 0, 0, 0, 0, ...tlv(0x21, "TLSv1.3")])];
    const headers = await headersBehind(v2Header({ tlvs }));
    assertEquals(headers["x-forwarded-proto"], scheme);
    assertEquals(
      headers["forwarded"],
      `for=${headers["x-forwarded-for"]};host=a;proto=${scheme}`,
    );
  }
});

Deno.test("session.proxy: what the header told", async () => {
  const seen = new Seen();
  await using proxy = await startProxyWith({
    listener: ACCEPT,
    plugins: [seen.plugin],
  });
  using client = await HttpClient.connect(proxy.port());
  const tlvs = [tlv(0x02, "example.com"), tlv(0xea, [1, 2, 3])];
  await client.send(v2Header({ tlvs }));
  await client.get();
  const { proxy: facts } = seen.accepted[0]!;
  assertEquals(
    [facts!.version, facts!.authority, facts!.tlvs[1]],
    [2, "example.com", { type: 0xea, value: Uint8Array.of(1, 2, 3) }],
  );
  using plain = await HttpClient.connect(proxy.port());
  await plain.get();
  assertEquals(seen.accepted[1]!.proxy, undefined);
});

Deno.test("peers of a dual-stack socket are trusted by their IPv4 address", async () => {
  await using backend = serveEcho();
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: { ...REQUIRE, address: "[::]:0" },
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(LINE + GET);
  const { headers } = parseEcho((await client.response()).text);
  assertEquals(headers["x-forwarded-for"], "1.2.3.4");
});

/** Keys of a TCP listener. */
const TCP = { protocol: "tcp", cluster: "main" };

Deno.test("TCP: what follows the header in its segment reaches the backend, however much", async () => {
  const seen = new Seen();
  await using backend = serveTcpBackend(echo);
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: { ...TCP, ...REQUIRE },
    plugins: [seen.plugin],
  });
  const header = v2Header({ tlvs: [tlv(4, Array(10_000).fill(1))] });
  for (const start of [latin1Bytes(LINE), header]) {
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: proxy.port(),
    });
    const sent = patternBytes(200_000);
    const all = new Uint8Array(start.length + sent.length);
    all.set(start);
    all.set(sent, start.length);
    const writing = (async () => {
      await writeAll(conn, all);
      await conn.closeWrite();
    })();
    assertEquals(await inTime("the echo", readAll(conn)), sent);
    await writing;
    assertEquals(seen.accepted.at(-1)!.remote.address, "1.2.3.4");
  }
});

Deno.test("TCP: a server that speaks first does so once the header is there", async () => {
  await using backend = serveTcpBackend(async (conn) => {
    await writeAll(conn, latin1Bytes("220 ready\r\n"));
    await readAll(conn);
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    listener: { ...TCP, ...REQUIRE },
  });
  using client = await RawClient.connect(proxy.port());
  await client.send(LINE.slice(0, 10));
  await eventually("the session", async () => {
    const [session] = (await proxy.report()).sessions;
    return session?.state === "proxy header" && session.remote;
  });
  assertEquals(backend.accepted, 0);
  await client.send(LINE.slice(10));
  await client.until("the greeting", () => client.received !== "");
  const [session] = (await proxy.report()).sessions;
  assertEquals([session!.remote, session!.state], ["1.2.3.4:1111", "tunnel"]);
});

/** Half a header on a plane whose time the test turns. */
async function withHalf(
  run: (
    t: TestPlane,
    client: RawClient,
    seen: Seen,
    clock: FakeClock,
  ) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const seen = new Seen();
  await using t = await startPlane({
    listener: { ...REQUIRE, timeouts: { handshake: "4s" } },
    plugins: [seen.plugin],
  }, clock);
  using client = await RawClient.connect(t.port);
  await client.send(LINE.slice(0, 10));
  await eventually("the session", () => t.plane.sessions.size === 1);
  await run(t, client, seen, clock);
  await client.end();
  assertEquals([client.received, seen.accepted.length], ["", 0]);
  await t.idle();
  await eventually("all buffers", () => t.buffered === 0);
}

Deno.test("P17 one time for the whole header: timeouts.handshake, which bytes do not prolong", async () => {
  await withHalf(async (t, client, seen, clock) => {
    clock.advance(2_000);
    await client.send(LINE.slice(10, 20));
    clock.advance(1_900);
    assertEquals([t.plane.sessions.size, client.ended], [1, false]);
    clock.advance(400);
    await seen.ended(1);
    assertEquals(seen.finished, ["proxy_header_timeout"]);
  });
});

Deno.test("a drain ends who is still in the header", async () => {
  await withHalf(async (t, _client, seen) => {
    await inTime("the drain", t.plane.drain(30_000));
    assertEquals(seen.finished, ["shutting_down"]);
  });
});

Deno.test("a reload that drops the listener ends who is still in the header", async () => {
  const seen = new Seen();
  const config = (name: string) => ({
    listener: { ...REQUIRE, name },
    plugins: [seen.plugin],
  });
  await using proxy = await startProxyWith(config("web"));
  using client = await RawClient.connect(proxy.port());
  await client.send(LINE.slice(0, 10));
  await eventually(
    "the session",
    async () => (await proxy.report()).sessionsOpen === 1,
  );
  await proxy.reload(configWith(config("other")));
  await client.end();
  await seen.ended(1);
  assertEquals([client.received, seen.finished], ["", ["shutting_down"]]);
});

Deno.test("limits.connections counts who is still in the header", async () => {
  await using proxy = await startProxyWith({
    listener: { ...REQUIRE, limits: { connections: 1 } },
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200 } }],
    }],
  });
  using first = await RawClient.connect(proxy.port());
  await first.send(LINE.slice(0, 10));
  await eventually(
    "the first",
    async () => (await proxy.report()).listeners[0]!.open === 1,
  );
  using second = await HttpClient.connect(proxy.port());
  await second.send(LINE + GET);
  let answered = false;
  const response = second.response().then((response) => {
    answered = true;
    return response.status;
  });
  await first.send(LINE.slice(10) + GET);
  await first.responses(1);
  assertEquals(answered, false);
  first.close();
  assertEquals(await inTime("the second's answer", response), 200);
});

Deno.test("limits.connectionsPerAddress counts the addresses that headers name", async () => {
  const seen = new Seen();
  await using proxy = await startProxyWith({
    listener: { ...REQUIRE, limits: { connectionsPerAddress: 1 } },
    plugins: [seen.plugin],
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200 } }],
    }],
  });
  const from = async (address: string) => {
    const client = await HttpClient.connect(proxy.port());
    await client.send(`PROXY TCP4 ${address} 5.6.7.8 1111 80\r\n${GET}`);
    return client;
  };
  using one = await from("1.1.1.1");
  using two = await from("2.2.2.2");
  assertEquals((await one.response()).status, 200);
  assertEquals((await two.response()).status, 200);
  using third = await from("1.1.1.1");
  assert(await third.ended());
  await seen.ended(1);
  assertEquals(seen.finished, ["too_many_connections"]);
  one.close();
  await seen.ended(2);
  using fourth = await from("1.1.1.1");
  assertEquals((await fourth.response()).status, 200);
});

Deno.test("a plugin's own request needs no header", async () => {
  let ask: (() => Promise<Response>) | undefined;
  await using proxy = await startProxyWith({
    listener: REQUIRE,
    products: [{
      name: "all",
      default: true,
      rules: [{ respond: { status: 200, body: "ok" } }],
    }],
    plugins: [handlersPlugin("asks", ({ request }) => {
      ask = () => request("http://inner.example/");
      return {};
    })],
  });
  assertEquals(await (await ask!()).text(), "ok");
  await eventually(
    "its session's end",
    async () => (await proxy.report()).sessionsOpen === 0,
  );
});
