/**
 * What becomes of messages that went to a backend and were never read there.
 *
 * @module
 */
import { acceptOf } from "../../core/websocket/handshake.ts";
import { AdminClient } from "../support/admin_client.ts";
import { assertEquals } from "../support/assert.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { metricValue } from "../support/metric_value.ts";
import { serveScript } from "../support/scripted_backend.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

const TEXTS = Array.from({ length: 50 }, (_, i) => `${i}`);

for (const replay of ["1MiB", "none"]) {
  Deno.test(`replay: ${replay}: messages to a backend that reads nothing and resets`, async () => {
    const released = Promise.withResolvers<void>();
    // It closes with unread bytes, which is a reset.
    await using deaf = serveScript(async (connection) => {
      const request = await connection.request();
      const key = request?.headers.get("sec-websocket-key");
      if (!key) return;
      await connection.send(
        [
          "HTTP/1.1 101 Switching Protocols",
          "Connection: Upgrade",
          "Upgrade: websocket",
          `Sec-WebSocket-Accept: ${acceptOf(key)}`,
          "",
          "",
        ].join("\r\n"),
      );
      await released.promise;
    });
    await using next = serveWebSocket("b");
    await using admin = await AdminClient.start({
      listeners: [{ name: "web", address: "127.0.0.1:0" }],
      clusters: [{
        name: "main",
        balance: "first",
        websocket: { replay },
        backends: [deaf.url, next.url].map((url, i) => ({ id: `b${i}`, url })),
      }],
      workers: 1,
      log: { level: "error" },
    });
    await using client = await WebSocketClient.open(admin.proxy.url());
    for (const text of TEXTS) client.send(text);
    await eventually(
      "all at the proxy",
      async () =>
        (await admin.json("/session/list"))[0].msgsReceived === TEXTS.length,
    );
    released.resolve();
    await eventually("the next backend", () => next.connections.length === 1);
    client.send("after");
    const expected = replay === "none" ? ["after"] : [...TEXTS, "after"];
    assertEquals(
      await inTime("the answers", client.until(expected.length)),
      expected.map((text) => `b:${text}`),
    );
    const { got, headers } = next.connections[0]!;
    const { metrics } = await admin.proxy.report();
    const said = headers.get("x-headrace-replayed");
    assertEquals([got, headers.get("x-balancer-reconnect"), said], [
      expected,
      "1",
      replay === "none" ? null : "50",
    ]);
    assertEquals(
      metricValue(metrics, "headrace_websocket_replayed_total", {}),
      replay === "none" ? 0 : 50,
    );
  });
}
