/**
 * `builtin:trace` through sockets, and with the runtime's own exporter.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { parseEcho, serveEcho } from "../support/echo_backend.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startHeadrace } from "../support/headrace_process.ts";
import { HttpClient } from "../support/http_client.ts";
import { startSample } from "../support/sample_proxy.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

Deno.test("the sample of trace tells a backend of a trace, its own for strangers", async () => {
  await using backend = serveEcho();
  await using proxy = await startSample(
    "trace",
    (sample) => sample.replace("http://127.0.0.1:9001", backend.url),
  );
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    `GET / HTTP/1.1\r\nHost: a\r\nTraceparent: 00-${TRACE}-b7ad6b7169203331-01\r\n` +
      "Tracestate: a=b\r\n\r\n",
  );
  const { headers } = parseEcho((await client.response()).text);
  assertMatch(
    headers["traceparent"] ?? "",
    /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/,
  );
  assert(!headers["traceparent"]?.includes(TRACE));
  assertEquals(headers["tracestate"], undefined);
});

/** What an OTLP collector got of spans. */
interface ExportedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { readonly stringValue?: string };
  }[];
}

Deno.test("spans reach a collector where OTEL_DENO is set, from a worker too", async () => {
  const spans: ExportedSpan[] = [];
  await using collector = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      if (!new URL(request.url).pathname.endsWith("/traces")) {
        await request.body?.cancel();
        return Response.json({});
      }
      const { resourceSpans } = await request.json();
      for (const { scopeSpans } of resourceSpans) {
        for (const { scope, spans: some } of scopeSpans) {
          if (scope?.name === "headrace") spans.push(...some);
        }
      }
      return Response.json({});
    },
  );
  await using backend = serveEcho();
  const [port] = await freePorts(1);
  const config = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      listeners: [{
        name: "web",
        address: `127.0.0.1:${port}`,
        trusted: ["127.0.0.1/32"],
      }],
      clusters: [{ name: "main", backends: [{ url: backend.url }] }],
      plugins: [
        {
          use: "builtin:trace",
          options: { spans: ["transaction", "attempt", "handler"] },
        },
        { use: "builtin:request-id" },
      ],
      admin: { address: "127.0.0.1:0" },
      workers: 2,
    }),
  );
  {
    await using process = startHeadrace(["--config", config], {
      env: {
        OTEL_DENO: "true",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_BSP_SCHEDULE_DELAY: "50",
        OTEL_DENO_CONSOLE: "ignore",
      },
    });
    const client = await eventually(
      "the proxy",
      () => HttpClient.connect(port!).catch(() => undefined),
      30_000,
    );
    await client.send(
      "GET / HTTP/1.1\r\nHost: a\r\n" +
        `Traceparent: 00-${TRACE}-b7ad6b7169203331-01\r\n\r\n`,
    );
    const { headers } = parseEcho((await client.response()).text);
    client.close();
    const of = (wanted: number) => spans.filter(({ kind }) => kind === wanted);
    await eventually(
      "all spans",
      () => [1, 2, 3].every((kind) => of(kind).length > 0),
      20_000,
    );
    process.kill("SIGTERM");
    assertEquals(await process.code, 0);
    const [server] = of(2);
    const [attempt] = of(3);
    const [handler] = of(1);
    assertEquals(handler?.parentSpanId, server?.spanId);
    assertEquals(
      handler?.attributes.find(({ key }) => key === "headrace.plugin")?.value,
      { stringValue: "request-id" },
    );
    assertEquals(server?.traceId, TRACE);
    assertEquals(server?.parentSpanId, "b7ad6b7169203331");
    assertEquals(attempt?.parentSpanId, server?.spanId);
    assertEquals(
      headers["traceparent"],
      `00-${TRACE}-${attempt?.spanId}-01`,
    );
  }
  await Deno.remove(config);
});
