/**
 * Plugins that listen to WebSocket sessions.
 *
 * @module
 */
import type { PluginParts, ProxySession } from "../../core/plugin.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { textOf } from "../support/byte_streams.ts";
import { failuresOf } from "../support/dialer_proxy.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { partsPlugin } from "../support/inline_plugin.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

Deno.test("listeners: valves, created, the first message; terminated and created with each backend; terminated at the end", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  const events: string[] = [];
  const sessions: ProxySession[] = [];
  const parts: PluginParts = {
    valves: {
      addValves: (session, current) => {
        events.push(`valves ${session.backend.backendId}`);
        return [...current, {
          beforeTransmit: (message) => {
            events.push(textOf(message.data));
            return message;
          },
        }];
      },
    },
    sessionListener: {
      sessionCreated: (session) => {
        sessions.push(session);
        events.push(`created ${session.backend.backendId}`);
      },
      sessionTerminated: (session) => {
        assert(sessions.includes(session));
        events.push(`terminated ${session.backend.backendId}`);
      },
    },
  };
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "first" },
    plugins: [partsPlugin("listener", parts)],
  });
  const client = await WebSocketClient.open(proxy.url("/x"));
  assertEquals(await client.ask("1"), "a:1");
  const [first] = sessions;
  assertEquals(
    [
      first!.frontend.frontendId,
      first!.frontend.id === first!.id,
      first!.transaction.id === first!.id,
      first!.transaction.request!.path,
      first!.backend.id,
      first!.backend.subprotocol,
    ],
    [
      `127-0-0-1-${proxy.port()}`,
      true,
      true,
      "/x",
      `${first!.id}.1`,
      undefined,
    ],
  );
  a.connections[0]!.socket.close(1000 + 0);
  assertEquals((await client.closed).code, 1000);
  await eventually("the end", () => events.at(-1) === "terminated a");
  assertEquals(events.splice(0), [
    "valves a",
    "created a",
    "1",
    "terminated a",
  ]);

  await using second = await WebSocketClient.open(proxy.url());
  assertEquals(await second.ask("2"), "a:2");
  await a[Symbol.asyncDispose]();
  assertEquals(await inTime("an answer", second.ask("3")), "b:3");
  await second[Symbol.asyncDispose]();
  await eventually("the end", () => events.at(-1) === "terminated b");
  assertEquals(events.filter((event) => event !== "3"), [
    "valves a",
    "created a",
    "2",
    "terminated a",
    "created b",
    "terminated b",
  ]);
});

Deno.test("listeners: they may end a session, also before it starts, or have it leave its backend", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  let session: ProxySession | undefined;
  const parts: PluginParts = {
    sessionListener: {
      sessionCreated: (created) => {
        session = created;
        const { path } = created.transaction.request!;
        if (path === "/early") created.frontend.close(4000, "not you");
      },
    },
  };
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "first" },
    plugins: [partsPlugin("closer", parts)],
  });
  await using early = await WebSocketClient.open(proxy.url("/early"));
  assertEquals(await inTime("a Close", early.closed), {
    code: 4000,
    reason: "not you",
  });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  const first = session!;
  first.backend.close();
  await eventually("the other backend", () => session !== first);
  assertEquals(await inTime("an answer", client.ask("2")), "b:2");
  // It is on that one no longer.
  first.backend.close();
  assertEquals(await client.ask("3"), "b:3");
  assertThrows(() => session!.frontend.close(1006), RangeError);
  session!.frontend.close();
  assertEquals((await inTime("a Close", client.closed)).code, 1000);
});

Deno.test("listeners: one that ends the session as it comes to another backend", async () => {
  await using a = serveWebSocket("a");
  await using b = serveWebSocket("b");
  const parts: PluginParts = {
    sessionListener: {
      sessionCreated: ({ backend, frontend }) => {
        if (backend.backendId === "b") frontend.close(4001, "not there");
      },
    },
  };
  for (const planned of [true, false]) {
    await using proxy = await startProxyWith({
      backends: [a.url, b.url],
      cluster: { balance: "first" },
      plugins: [partsPlugin("closer", parts)],
    });
    await using client = await WebSocketClient.open(proxy.url());
    assertEquals(await client.ask("1"), "a:1");
    if (planned) proxy.supervisor.changeBackend("a", { state: "drain" });
    else await a[Symbol.asyncDispose]();
    assertEquals(await inTime("a Close", client.closed), {
      code: 4001,
      reason: "not there",
    });
    await eventually(
      "the session's end",
      async () => (await proxy.report()).sessionsOpen === 0,
    );
  }
});

Deno.test("listeners: those that fail are counted and logged, and nobody minds", async () => {
  await using backend = serveWebSocket("a");
  const heard: string[] = [];
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      partsPlugin("bad", {
        sessionListener: {
          sessionCreated: () => {
            throw new Error("a bug");
          },
          sessionTerminated: () => Promise.reject(new Error("a bug")),
        },
      }),
      partsPlugin("good", {
        sessionListener: {
          sessionCreated: () => {
            heard.push("created");
          },
          sessionTerminated: () => {
            heard.push("terminated");
          },
        },
      }),
    ],
  });
  const client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "a:1");
  await client[Symbol.asyncDispose]();
  await eventually("the end", () => heard.length === 2);
  assertEquals(heard, ["created", "terminated"]);
  for (const point of ["sessionCreated", "sessionTerminated"]) {
    assertEquals(await failuresOf(proxy, point, "bad"), 1);
    assert(proxy.logged.some((line) => line.includes(point)));
  }
});

Deno.test("listeners: a backend that passes fields on shows them", async () => {
  await using backend = serveWebSocket("a", {
    protocol: "s1",
    headers: { "set-cookie": "a=1", "x-secret": "1" },
  });
  const seen: unknown[] = [];
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      partsPlugin("reader", {
        sessionListener: {
          sessionCreated: ({ backend }) => {
            seen.push(backend.subprotocol, backend.additionalHeaders);
          },
        },
      }),
    ],
  });
  await using client = await WebSocketClient.open(proxy.url(), ["s1"]);
  await client.ask("1");
  assertEquals(seen, ["s1", [["Set-Cookie", "a=1"]]]);
});
