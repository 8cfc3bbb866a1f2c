import { proxyOnSockets, RefusedError } from "../../../core/testing.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../../support/websocket_backend.ts";

Deno.test("proxyOnSockets: real clients, a WebSocket through a plugin's valves too", async () => {
  await using backend = serveWebSocket("b");
  await using proxy = await proxyOnSockets({
    backend: backend.url,
    plugins: [{
      plugin: {
        name: "no-secrets",
        setup: () => ({
          valves: {
            addValves: (_session, current) => [...current, {
              beforeTransmit: (message) =>
                new TextDecoder().decode(message.data) === "secret"
                  ? null
                  : message,
            }],
          },
          handlers: {
            sendResponseHeader: (_request, response) => {
              response.headers.set("x-plugin", "here");
            },
          },
        }),
      },
    }],
  });
  const response = await fetch(proxy.url("/x"));
  assertEquals(
    [await response.text(), response.headers.get("x-plugin")],
    ["b", "here"],
  );
  await using client = await WebSocketClient.open(proxy.url("/ws"));
  client.send("secret");
  assertEquals(await client.ask("open"), "b:open");
});

Deno.test("proxyOnSockets: what a start would refuse is refused, and nothing stays open", async () => {
  await assertRejects(
    () => proxyOnSockets({ plugins: [], config: { wrokers: 1 } }),
    RefusedError,
  );
});
