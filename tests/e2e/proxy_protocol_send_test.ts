/** PROXY headers towards backends, and from one Headrace to another. */
import { readHeader } from "../../core/proxy_protocol/read.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  bytesOf,
  readExactly,
  textOf,
  writeAll,
} from "../support/byte_streams.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import {
  type HeaderBackend,
  serveBehindHeader,
} from "../support/header_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { latin1Text } from "../support/latin1.ts";
import { metricValue } from "../support/metric_value.ts";
import {
  configWith,
  type ProxyWith,
  startProxyWith,
} from "../support/proxy_with.ts";
import { startProxy } from "../support/proxy.ts";
import { serveTcpBackend } from "../support/tcp_backend.ts";

const VERSIONS = ["v1", "v2"] as const;

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** Clients say who they are in a header of their own. */
const BEHIND_BALANCER = { proxyProtocol: "require", trusted: ["127.0.0.1"] };
/** Clients say who they are in X-Forwarded-For. */
const BEHIND_PROXY = { trusted: ["127.0.0.1"] };
const TCP = { protocol: "tcp", cluster: "main" };

/** A proxy that tells a backend who its clients are. */
function startSender(
  backend: { readonly url: string },
  version: "v1" | "v2",
  parts: ProxyWith = {},
) {
  return startProxyWith({
    backends: [backend.url],
    ...parts,
    cluster: { proxyProtocol: version, ...parts.cluster },
  });
}

/** A client that a header of its own names. */
async function clientFrom(address: string, port: number) {
  const client = await HttpClient.connect(port);
  await client.send(`PROXY TCP4 ${address} 5.6.7.8 1111 80\r\n`);
  return client;
}

function ownPort(client: HttpClient): number {
  const { localAddr } = client.conn as Deno.TcpConn;
  return (localAddr as Deno.NetAddr).port;
}

for (const version of VERSIONS) {
  Deno.test(`TCP, ${version}: a connection begins with the client's addresses and ports, before the client has sent a byte`, async () => {
    const came: string[] = [];
    await using backend = serveTcpBackend(async (conn) => {
      const buffer = new Uint8Array(1024);
      // In one piece: receivers may refuse a part of a header.
      const count = (await conn.read(buffer))!;
      const read = readHeader(buffer, 0, count)!;
      assertEquals(read.end, count);
      const { source, destination } = read.header.ends!;
      came.push(
        `${source.address}:${source.port} ${destination.address}:${destination.port}`,
      );
      await writeAll(conn, bytesOf("ready"));
      came.push(textOf(await readExactly(conn, 5)));
    });
    await using proxy = await startSender(backend, version, { listener: TCP });
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: proxy.port(),
    });
    assertEquals(textOf(await readExactly(conn, 5)), "ready");
    await conn.write(bytesOf("hello"));
    const { port } = conn.localAddr as Deno.NetAddr;
    await eventually("all of it", () => came.length === 2);
    assertEquals(came, [
      `127.0.0.1:${port} 127.0.0.1:${proxy.port()}`,
      "hello",
    ]);
  });

  Deno.test(`HTTP, ${version}: one header a connection, which a client's next requests go on using`, async () => {
    await using backend = serveBehindHeader();
    await using proxy = await startSender(backend, version);
    using client = await HttpClient.connect(proxy.port());
    for (let i = 0; i < 5; i++) {
      assertEquals((await client.get()).text, `127.0.0.1 ${ownPort(client)}`);
    }
    assertEquals(backend.connections.length, 1);
    const { header, requests } = backend.connections[0]!;
    assertEquals(header.version, version === "v1" ? 1 : 2);
    assertEquals(header.ends!.destination, {
      address: "127.0.0.1",
      port: proxy.port(),
    });
    assertEquals(requests.length, 5);
  });

  Deno.test(`P15 HTTP, ${version}: no client's request goes over a connection that names another`, async () => {
    await using backend = serveBehindHeader();
    await using proxy = await startSender(backend, version, {
      listener: BEHIND_BALANCER,
      cluster: { keepAlive: { maxIdle: 3 } },
    });
    // More clients than may wait idle, each with its requests among the others'.
    const addresses = Array.from({ length: 8 }, (_, i) => `10.0.0.${i}`);
    await Promise.all(addresses.map(async (address) => {
      using client = await clientFrom(address, proxy.port());
      for (let i = 0; i < 15; i++) {
        assertEquals((await client.get()).text, `${address} 1111`);
      }
    }));
    const { idle } = (await proxy.report()).backends[0]!;
    assert(idle <= 3, `${idle} idle`);
    for (const { header, requests } of backend.connections) {
      const { address } = header.ends!.source;
      const named = new RegExp(`^x-forwarded-for: ${address}$`, "im");
      for (const request of requests) assert(named.test(request), request);
    }
    // Two connections of one balancer for the same client are one to backends.
    const before = backend.connections.length;
    for (let i = 0; i < 3; i++) {
      using client = await clientFrom("10.1.1.1", proxy.port());
      assertEquals((await client.get()).text, "10.1.1.1 1111");
    }
    assertEquals(backend.connections.length, before + 1);
  });

  Deno.test(`HTTP, ${version}: the client is the one that a trusted proxy names, without a port`, async () => {
    await using backend = serveBehindHeader();
    await using proxy = await startSender(backend, version, {
      listener: BEHIND_PROXY,
    });
    using client = await HttpClient.connect(proxy.port());
    const get = async (forwardedFor: string) => {
      await client.send(
        `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${forwardedFor}\r\n\r\n`,
      );
      return (await client.response()).text;
    };
    assertEquals(await get("1.2.3.4"), "1.2.3.4 0");
    assertEquals(await get("2001:db8::1"), "2001:db8::1 0");
    assertEquals(await get("1.2.3.4"), "1.2.3.4 0");
    assertEquals(await get("unknown"), `127.0.0.1 ${ownPort(client)}`);
    assertEquals(backend.connections.length, 3);
    // The listener's end is of IPv4.
    assertEquals(
      backend.connections[1]!.header.ends!.destination.address,
      "::ffff:127.0.0.1",
    );
  });

  Deno.test(`${version}: clients without an address name nobody, requests of plugins the proxy`, async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/l.sock`;
    let ask: (() => Promise<Response>) | undefined;
    try {
      await using backend = serveBehindHeader();
      await using _proxy = await startSender(backend, version, {
        listener: { address: `unix:${path}` },
        plugins: [handlersPlugin("asks", ({ request }) => {
          ask = () => request("http://inner.example/");
          return {};
        })],
      });
      using client = await HttpClient.connect({ transport: "unix", path });
      assertEquals((await client.get()).text, "own");
      // They share their connections.
      const asked = [await (await ask!()).text(), await (await ask!()).text()];
      const { ends } = backend.connections[1]!.header;
      assertEquals(
        asked,
        Array(2).fill(
          version === "v2" ? "own" : `127.0.0.1 ${ends!.source.port}`,
        ),
      );
      const locals = backend.connections.map(({ header }) => header.local);
      assertEquals(locals, Array(2).fill(version === "v2"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test(`${version}: a unix socket's backend is told too`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const came = Promise.withResolvers<string>();
      await using backend = serveTcpBackend(async (conn) => {
        const buffer = new Uint8Array(1024);
        const count = (await conn.read(buffer))!;
        const { header, end } = readHeader(buffer, 0, count)!;
        came.resolve(
          `${header.ends!.source.address} ${
            latin1Text(buffer.subarray(end, count))
          }`,
        );
      }, { path: `${folder}/b.sock` });
      await using proxy = await startSender(backend, version, {
        listener: TCP,
      });
      using _conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: proxy.port(),
      });
      assertEquals(await came.promise, "127.0.0.1 ");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  Deno.test(`Headrace to Headrace, ${version}: HTTP clients keep their address`, async () => {
    await using echo = serveEcho();
    await using inner = await startProxyWith({
      backends: [echo.url],
      listener: BEHIND_BALANCER,
    });
    await using outer = await startSender({ url: inner.url("") }, version, {
      listener: BEHIND_BALANCER,
    });
    for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.1"]) {
      using client = await clientFrom(address, outer.port());
      for (let i = 0; i < 2; i++) {
        const { headers } = parseEcho((await client.get()).text);
        assertEquals(headers["x-forwarded-for"], `${address}, ${address}`);
      }
    }
    const { metrics } = await inner.report();
    assertEquals(metricValue(metrics, "headrace_sessions_total"), 2);
    assertEquals(metricValue(metrics, "headrace_sessions_refused_total"), 0);
  });

  Deno.test(`Headrace to Headrace, ${version}: TCP clients keep both addresses and ports`, async () => {
    const seen: unknown[] = [];
    await using echo = serveEcho();
    await using inner = await startProxyWith({
      backends: [echo.url],
      listener: { ...TCP, ...BEHIND_BALANCER },
      plugins: [handlersPlugin("sees", {
        accept: ({ remote, local, proxy }) => {
          seen.push(remote, local, proxy?.version);
        },
      })],
    });
    await using outer = await startSender(
      { url: `tcp://127.0.0.1:${inner.port()}` },
      version,
      { listener: { ...TCP, ...BEHIND_BALANCER } },
    );
    using client = await HttpClient.connect(outer.port());
    // Header and request in one segment all the way.
    await client.send(
      `PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n${GET}`,
    );
    assertEquals((await client.response()).status, 200);
    assertEquals(seen, [
      { address: "2001:db8::1", port: 1111 },
      { address: "2001:db8::2", port: 80 },
      version === "v1" ? 1 : 2,
    ]);
  });
}

Deno.test("the next backend is told too where the first one fails", async () => {
  await using backend = serveBehindHeader();
  await using proxy = await startProxyWith({
    // Nobody listens at the first one.
    backends: ["http://127.0.0.1:1", backend.url],
    cluster: { proxyProtocol: "v2" },
  });
  for (let i = 0; i < 4; i++) {
    using client = await HttpClient.connect(proxy.port());
    assertEquals((await client.get()).text, `127.0.0.1 ${ownPort(client)}`);
  }
});

Deno.test("a reload that changes the header makes no use of connections of before", async () => {
  await using backend = serveBehindHeader();
  const config = (proxyProtocol: string) =>
    configWith({ backends: [backend.url], cluster: { proxyProtocol } });
  await using proxy = await startProxy(config("v1"));
  using client = await HttpClient.connect(proxy.port());
  const versions = (backend: HeaderBackend) =>
    backend.connections.map(({ header }) => header.version);
  await client.get();
  await client.get();
  await proxy.reload(config("v2"));
  await client.get();
  await client.get();
  assertEquals(versions(backend), [1, 2]);
});
