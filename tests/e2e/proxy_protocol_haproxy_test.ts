/** HAProxy as the sender of PROXY headers to Headrace, and as their receiver. */
import type { ProxyFacts } from "../../core/plugin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { haproxyVersion, startHaproxy } from "../support/haproxy.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { metricValue } from "../support/metric_value.ts";
import { startProxyWith } from "../support/proxy_with.ts";

const version = await haproxyVersion();
if (version === undefined) {
  console.log("No HAProxy here: what it says of PROXY headers is left out.");
}
const ignore = version === undefined;

const REQUIRE = { proxyProtocol: "require", trusted: ["127.0.0.1"] };

const SENT = {
  "send-proxy": 1,
  "send-proxy-v2": 2,
  "send-proxy-v2 proxy-v2-options crc32c,unique-id": 2,
} as const;

for (const [options, sent] of Object.entries(SENT)) {
  Deno.test({
    name: `HAProxy's ${options}: Headrace sees its client`,
    ignore,
    async fn() {
      const seen: { readonly port: number; readonly proxy: ProxyFacts }[] = [];
      await using backend = serveEcho();
      await using proxy = await startProxyWith({
        backends: [backend.url],
        listener: REQUIRE,
        plugins: [handlersPlugin("sees", {
          accept: ({ remote, proxy }) => {
            seen.push({ port: remote.port, proxy: proxy! });
          },
        })],
      });
      const [port = 0] = freePorts(1);
      await using _haproxy = await startHaproxy(
        `
frontend in
  mode tcp
  bind 127.0.0.1:${port}
  unique-id-format %{+X}o\\ %ci:%cp_%Ts
  default_backend out
backend out
  mode tcp
  server headrace 127.0.0.1:${proxy.port()} ${options}
`,
        [port],
      );
      using client = await HttpClient.connect(port);
      const { headers } = parseEcho((await client.get()).text);
      assertEquals(headers["x-forwarded-for"], "127.0.0.1");
      const { localAddr } = client.conn as Deno.TcpConn;
      const own = seen.find((one) =>
        one.port === (localAddr as Deno.NetAddr).port
      )!;
      assertEquals([own.proxy.version, own.proxy.local], [sent, false]);
      const withOptions = options.includes("crc32c");
      assertEquals(
        own.proxy.tlvs.map(({ type }) => type).toSorted(),
        withOptions ? [3, 5] : [],
      );
      assertEquals(own.proxy.uniqueId !== undefined, withOptions);
      const { metrics } = await proxy.report();
      assertEquals(metricValue(metrics, "headrace_sessions_refused_total"), 0);
    },
  });
}

Deno.test({
  name: "HAProxy's checks with send-proxy-v2 are LOCAL, and Headrace is up",
  ignore,
  async fn() {
    const checks: boolean[] = [];
    await using proxy = await startProxyWith({
      listener: REQUIRE,
      products: [{
        name: "all",
        default: true,
        rules: [{ respond: { status: 200 } }],
      }],
      plugins: [handlersPlugin("sees", {
        accept: ({ proxy }) => {
          checks.push(proxy!.local);
        },
      })],
    });
    const [port = 0] = freePorts(1);
    await using _haproxy = await startHaproxy(
      `
listen in
  mode http
  bind 127.0.0.1:${port}
  option httpchk GET /
  server headrace 127.0.0.1:${proxy.port()} send-proxy-v2 check inter 50ms
`,
      [port],
    );
    await eventually("checks", () => checks.length >= 3);
    assertEquals(new Set(checks), new Set([true]));
    using client = await HttpClient.connect(port);
    assertEquals((await client.get()).status, 200);
  },
});

for (const proxyProtocol of ["v1", "v2"]) {
  Deno.test({
    name:
      `HAProxy's accept-proxy takes Headrace's ${proxyProtocol} of IPv4, IPv6 and nobody`,
    ignore,
    async fn() {
      const [port = 0] = freePorts(1);
      await using haproxy = await startHaproxy(
        `
frontend in
  mode http
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
`,
        [port],
      );
      const folder = await Deno.makeTempDir();
      const path = `${folder}/l.sock`;
      try {
        await using proxy = await startProxyWith({
          backends: [`http://127.0.0.1:${port}`],
          listener: REQUIRE,
          listeners: [{ name: "unix", address: `unix:${path}` }],
          cluster: { proxyProtocol },
        });
        const answer = async (header: string) => {
          using client = await HttpClient.connect(proxy.port());
          await client.send(header);
          return (await client.get()).text;
        };
        assertEquals(
          await answer("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n"),
          "1.2.3.4 1111 5.6.7.8 80",
        );
        assertEquals(
          await answer("PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n"),
          "2001:db8::1 1111 2001:db8::2 80",
        );
        using client = await HttpClient.connect({ transport: "unix", path });
        const own = (await client.get()).text;
        assert(/^127\.0\.0\.1 \d+ 127\.0\.0\.1 \d+$/.test(own), own);
        assert(own.endsWith(` ${port}`), own);
      } catch (thrown) {
        console.error(haproxy.written);
        throw thrown;
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
