/**
 * Single checks against real backends that answer, refuse, hang, break.
 *
 * @module
 */
import { parseBackendUrl } from "../../../core/config/backend_url.ts";
import type { HealthConfig } from "../../../core/config/config_health.ts";
import type { ClusterConfig } from "../../../core/config/config.ts";
import {
  createProbe,
  type ProbeTarget,
  probeTarget,
} from "../../../core/health/probe.ts";
import { Buffers } from "../../../core/net/buffer_pool.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import { Resolver } from "../../../core/net/resolver.ts";
import { readHeader } from "../../../core/proxy_protocol/read.ts";
import { VERSION } from "../../../core/version.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../support/assert.ts";
import { readAll } from "../../support/byte_streams.ts";
import { makeAuthority } from "../../support/certificates.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually, inTime } from "../../support/eventually.ts";
import { serveBehindHeader } from "../../support/header_backend.ts";
import { serveRaw } from "../../support/raw_backend.ts";
import { serveScript } from "../../support/scripted_backend.ts";
import { serveTcpBackend } from "../../support/tcp_backend.ts";
import { fillBackend } from "../../support/full_backend.ts";

const CONFIG: HealthConfig = {
  type: "http",
  method: "GET",
  path: "/healthz",
  host: undefined,
  statuses: [[200, 399]],
  body: undefined,
  interval: 2_000,
  timeout: 1_000,
  rise: 2,
  fall: 3,
};

/** Checks under a clock that the test turns. */
class Bench {
  readonly clock = new FakeClock();
  readonly buffers = new Buffers();
  readonly stop = new AbortController();
  /** Names that the resolver was asked for. */
  readonly asked: string[] = [];
  lookUp: (name: string) => Promise<readonly string[]> = () =>
    Promise.resolve(["127.0.0.1"]);
  readonly #run = createProbe({
    clock: this.clock,
    deadlines: new Deadlines(this.clock),
    buffers: this.buffers,
    resolver: new Resolver(this.clock, async (name) => {
      this.asked.push(name);
      return { addresses: await this.lookUp(name), ttl: undefined };
    }),
  });

  async check(
    url: string,
    config: Partial<HealthConfig> = {},
    proxyProtocol: ProbeTarget["proxyProtocol"] = "none",
    tls?: ProbeTarget["tls"],
    at: { readonly address?: string } = {},
  ): Promise<string | undefined> {
    const result = await this.#run(
      { url: { ...parseBackendUrl(url), ...at }, proxyProtocol, tls },
      { ...CONFIG, ...config },
      this.stop.signal,
    );
    const { small, medium, large } = this.buffers;
    assertEquals([small, medium, large].map(({ inUse }) => inUse), [0, 0, 0]);
    assertEquals(this.clock.pending, 0);
    return result;
  }

  /** A check, with the clock turned beyond its time once `reached`. */
  async checkLate(
    url: string,
    reached: () => boolean,
    config: Partial<HealthConfig> = {},
  ): Promise<string | undefined> {
    const result = this.check(url, config);
    await eventually("the check to be under way", reached);
    this.clock.advance(999);
    await new Promise((resolve) => setTimeout(resolve));
    this.clock.advance(1);
    return await result;
  }
}

function head(status: number, fields = ""): string {
  return `HTTP/1.1 ${status} X\r\n${fields}\r\n`;
}

Deno.test("probe: an http check sends the request that the config says", async () => {
  await using backend = serveRaw();
  const { port } = backend;
  assertEquals(await new Bench().check(backend.url), undefined);
  const [request] = backend.requests;
  assertEquals(
    [request!.method, request!.target],
    ["GET", "/healthz"],
  );
  const { received } = backend;
  assertStringIncludes(received, `\r\nhost: 127.0.0.1:${port}\r\n`);
  assertStringIncludes(
    received,
    `\r\nuser-agent: headrace/${VERSION} (health check)\r\n`,
  );
});

for (const version of ["v1", "v2"] as const) {
  Deno.test(`probe: an http check behind a PROXY header of ${version} is the proxy's own`, async () => {
    await using backend = serveBehindHeader();
    const config = { body: version === "v1" ? "127.0.0.1" : "own" };
    const result = await new Bench().check(backend.url, config, version);
    assertEquals(result, undefined);
    const { header, requests } = backend.connections[0]!;
    assertEquals([header.local, requests.length], [version === "v2", 1]);
  });

  Deno.test(`probe: a tcp check sends its PROXY header of ${version} too`, async () => {
    const came = Promise.withResolvers<Uint8Array>();
    await using backend = serveTcpBackend(async (conn) =>
      came.resolve(await readAll(conn))
    );
    const { port } = backend;
    const url = `http://127.0.0.1:${port}`;
    const config = { type: "tcp" } as const;
    assertEquals(await new Bench().check(url, config, version), undefined);
    const bytes = await inTime("the header", came.promise);
    const { header, end } = readHeader(bytes, 0, bytes.length)!;
    assertEquals(end, bytes.length);
    assertEquals(
      header.ends?.destination,
      version === "v2" ? undefined : { address: "127.0.0.1", port },
    );
  });
}

Deno.test("probe: method, host, the backend's own path and a query", async () => {
  await using backend = serveRaw([head(200, "Content-Length: 0\r\n")]);
  const result = await new Bench().check(`${backend.url}/base/`, {
    method: "HEAD",
    host: "api.internal",
    path: "/up?deep=1",
  });
  assertEquals(result, undefined);
  const [request] = backend.requests;
  assertEquals([request!.method, request!.target], ["HEAD", "/base/up?deep=1"]);
  assertStringIncludes(backend.received, "\r\nhost: api.internal\r\n");
});

for (
  const [status, well] of [
    [200, true],
    [204, true],
    [301, true],
    [399, true],
    [400, false],
    [503, false],
    [101, false],
  ] as const
) {
  Deno.test(`probe: ${status} is ${well ? "" : "not "}well by default`, async () => {
    await using backend = serveRaw([{
      close: head(status, "Content-Length: 0\r\n"),
    }]);
    const result = await new Bench().check(backend.url);
    assertEquals(
      result,
      well ? undefined : `It answered ${status}, expected 200-399`,
    );
  });
}

Deno.test("probe: other statuses may be what is well", async () => {
  await using backend = serveRaw([head(401, "Content-Length: 0\r\n")]);
  const bench = new Bench();
  const statuses = [[200, 200], [400, 499]] as const;
  assertEquals(await bench.check(backend.url, { statuses }), undefined);
  assertEquals(
    await bench.check(backend.url, { statuses: [[200, 200], [500, 503]] }),
    "It answered 401, expected 200, 500-503",
  );
});

Deno.test("probe: interim responses are passed over", async () => {
  await using backend = serveRaw([
    head(103) + head(100) + head(200, "Content-Length: 0\r\n"),
  ]);
  assertEquals(await new Bench().check(backend.url), undefined);
});

Deno.test("probe: a body is well where it contains the text, wherever that is cut", async () => {
  const text = "all is w€ll";
  const bench = new Bench();
  const bytes = new TextEncoder().encode(`<p>${text}</p>`);
  for (let cut = 0; cut <= bytes.length; cut++) {
    await using backend = serveTcpBackend(async (conn) => {
      await conn.read(new Uint8Array(4096));
      const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
      await conn.write(
        new TextEncoder().encode(head(200, "Connection: close\r\n")),
      );
      for (const part of parts) {
        if (part.length === 0) continue;
        await conn.write(part);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    const url = `http://127.0.0.1:${backend.port}`;
    assertEquals(await bench.check(url, { body: text }), undefined, `${cut}`);
  }
});

Deno.test("probe: a body without the text, or none at all", async () => {
  const bench = new Bench();
  const expected = 'Its body does not contain "ok"';
  for (
    const answer of [
      head(200, "Content-Length: 3\r\n") + "o k",
      head(200, "Content-Length: 0\r\n"),
      head(204),
      head(200, "Transfer-Encoding: chunked\r\n") + "2\r\nKO\r\n0\r\n\r\n",
    ]
  ) {
    await using backend = serveRaw([answer]);
    assertEquals(await bench.check(backend.url, { body: "ok" }), expected);
  }
});

Deno.test("probe: 64 KiB of a body are looked at, and no more", async () => {
  const bench = new Bench();
  for (const [before, well] of [[65_534, true], [65_535, false]] as const) {
    await using backend = serveRaw([
      head(200, "Content-Length: 100000\r\n") + "x".repeat(before) + "ok" +
      "x".repeat(100_000 - before - 2),
    ]);
    assertEquals(
      await bench.check(backend.url, { body: "ok" }) === undefined,
      well,
    );
  }
});

Deno.test("probe: a stream without an end is well as soon as the text came", async () => {
  await using backend = serveScript(async (connection) => {
    await connection.request();
    await connection.send(head(200, "Connection: close\r\n") + "data: ok\n");
    await connection.ended();
  });
  assertEquals(await new Bench().check(backend.url, { body: "ok" }), undefined);
});

Deno.test("probe: a backend that refuses", async () => {
  const backend = serveRaw("down");
  await backend[Symbol.asyncDispose]();
  for (const type of ["http", "tcp"] as const) {
    assertMatch(
      (await new Bench().check(backend.url, { type }))!,
      /^Cannot connect to 127\.0\.0\.77:\d+: .*refused/,
    );
  }
});

Deno.test("probe: a backend that ends the connection, or answers no HTTP", async () => {
  const bench = new Bench();
  for (const close of ["", "HTTP/1.1 200", "SSH-2.0-OpenSSH\r\n\r\n"]) {
    await using backend = serveRaw([{ close }]);
    assert(await bench.check(backend.url) !== undefined);
  }
});

Deno.test("probe: a backend that takes the request and says nothing is given up in time", async () => {
  await using backend = serveRaw([{ hang: true }]);
  const result = await new Bench().checkLate(
    backend.url,
    () => backend.requests.length === 1,
  );
  assertEquals(result, "No result within 1000 ms");
});

Deno.test("probe: the time is the whole check's: a head and an endless body, interim heads for ever", async () => {
  const scripts = [
    head(200, "Connection: close\r\n") + "nothing yet",
    head(103),
  ];
  for (const script of scripts) {
    await using backend = serveRaw([{ data: script, hang: true }]);
    const result = await new Bench().checkLate(
      backend.url,
      () => backend.requests.length === 1,
      { body: "ok" },
    );
    assertEquals(result, "No result within 1000 ms");
  }
});

Deno.test("probe: a backend that takes no connection is given up in time", async () => {
  using backend = await fillBackend();
  const result = await new Bench().checkLate(backend.url, () => true);
  assertEquals(result, "No result within 1000 ms");
});

Deno.test("probe: a name that is not resolved in time, or not at all", async () => {
  const bench = new Bench();
  bench.lookUp = () => new Promise(() => {});
  const result = await bench.checkLate(
    "http://db.test:1",
    () => bench.asked.length === 1,
  );
  assertEquals(result, "No result within 1000 ms");
  const other = new Bench();
  other.lookUp = () => Promise.reject(new Error("NXDOMAIN"));
  assertEquals(
    await other.check("http://db.test:1"),
    "Cannot resolve db.test: NXDOMAIN",
  );
});

Deno.test("probe: a name with several addresses is well where one answers", async () => {
  await using backend = serveRaw();
  const bench = new Bench();
  bench.lookUp = () => Promise.resolve(["127.0.0.2", "127.0.0.1"]);
  assertEquals(
    await bench.check(`http://api.test:${backend.port}`),
    undefined,
  );
  assertEquals(bench.asked, ["api.test"]);
  assertStringIncludes(
    backend.received,
    `\r\nhost: api.test:${backend.port}\r\n`,
  );
});

Deno.test("probe: one address of a name is dialled without asking for it, and hears the name", async () => {
  await using backend = serveRaw();
  const bench = new Bench();
  const url = `http://api.test:${backend.port}`;
  const check = (address: string) =>
    bench.check(url, {}, "none", undefined, { address });
  assertEquals(await check("127.0.0.1"), undefined);
  assertStringIncludes(
    backend.received,
    `\r\nhost: api.test:${backend.port}\r\n`,
  );
  assertMatch((await check("127.0.0.2"))!, /^Cannot connect to 127\.0\.0\.2:/);
  assertEquals(bench.asked, []);
});

Deno.test("probe: an address that takes no connection leaves time for the next", async () => {
  using full = await fillBackend();
  const { port } = new URL(full.url);
  await using _live = Deno.serve({
    hostname: "127.0.0.2",
    port: Number(port),
    onListen() {},
  }, () => new Response("ok"));
  const bench = new Bench();
  bench.lookUp = () => Promise.resolve(["127.0.0.1", "127.0.0.2"]);
  const check = bench.check(`http://api.test:${port}`);
  await eventually("the name", () => bench.asked.length === 1);
  for (let i = 0; i < 8; i++) {
    bench.clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assertEquals(await check, undefined);
});

Deno.test("probe: a tcp check connects and sends nothing", async () => {
  let sent: number | null | undefined;
  await using backend = serveTcpBackend(async (conn) => {
    sent = await conn.read(new Uint8Array(1));
  });
  assertEquals(
    await new Bench().check(backend.url, { type: "tcp" }),
    undefined,
  );
  await eventually("the connection's end", () => sent !== undefined);
  assertEquals([sent, backend.accepted], [null, 1]);
});

Deno.test("probe: unix sockets are checked, too", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/app.sock`;
    const bench = new Bench();
    assertMatch((await bench.check(`unix:${path}`))!, /^Cannot connect to \//);
    await using _backend = serveTcpBackend(async (conn) => {
      await conn.read(new Uint8Array(4096));
      await conn.write(
        new TextEncoder().encode(head(200, "Content-Length: 0\r\n")),
      );
    }, { path });
    assertEquals(await bench.check(`unix:${path}`), undefined);
    assertEquals(await bench.check(`unix:${path}`, { type: "tcp" }), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("probe: one that is given up ends at once, wherever it is", async () => {
  await using hanging = serveRaw([{ hang: true }]);
  using full = await fillBackend();
  for (const url of [hanging.url, full.url]) {
    const bench = new Bench();
    const check = bench.check(url);
    await new Promise((resolve) => setTimeout(resolve, 20));
    bench.stop.abort();
    assert(await check !== undefined);
  }
});

Deno.test("probe: a check goes by TLS where traffic does, and by what the cluster trusts", async () => {
  const [authority, stranger] = await Promise.all([
    makeAuthority(),
    makeAuthority("Stranger"),
  ]);
  const identity = await authority.issue({ ips: ["127.0.0.1"] });
  await using backend = serveRaw(null, { identity });
  const cluster = (pem: string) =>
    ({
      proxyProtocol: "none",
      tls: { ca: { path: "ca.crt", pem } },
    }) as ClusterConfig;
  const bench = new Bench();
  const check = (type: "http" | "tcp", pem: string) => {
    const { tls } = probeTarget(parseBackendUrl(backend.url), cluster(pem));
    return bench.check(backend.url, { type }, "none", tls);
  };
  for (const type of ["http", "tcp"] as const) {
    assertEquals(await check(type, authority.cert), undefined);
    assertMatch(await check(type, stranger.cert) ?? "", /^No TLS with 127/);
  }
  assertEquals(backend.requests.length, 1);
});
