/**
 * Plugins' valves in WebSocket sessions.
 *
 * @module
 */
import type {
  MessageValve,
  PassMessage,
  PluginParts,
  WsMessage,
} from "../../core/plugin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { bytesOf, textOf } from "../support/byte_streams.ts";
import { failuresOf } from "../support/dialer_proxy.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { HttpClient } from "../support/http_client.ts";
import { partsPlugin } from "../support/inline_plugin.ts";
import { startProxyWith } from "../support/proxy_with.ts";
import { RawClient } from "../support/raw_client.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

/** A plugin that adds one valve behind the others. */
function valvePlugin(
  name: string,
  valve: MessageValve,
  config: object = {},
): object {
  return partsPlugin(name, {
    valves: { addValves: (_session, current) => [...current, valve] },
  }, config);
}

/** As {@linkcode valvePlugin} for what the compiler would refuse. */
function untypedValve(name: string, valve: object): object {
  return valvePlugin(name, valve as MessageValve);
}

/** Appends to every text. */
function appending(text: string): PassMessage {
  return ({ data }) => ({ type: 1, data: bytesOf(textOf(data) + text) });
}

/** Marks what passes with `+NAME` to the backend and `-NAME` to the client. */
function marking(name: string): MessageValve {
  return {
    beforeTransmit: appending(`+${name}`),
    afterReceive: appending(`-${name}`),
  };
}

const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: a",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");

/** Answers as it is asked. */
const echoes = { answer: (text: string) => text };

Deno.test("valves: to the backend in their order, to the client in the reverse one", async () => {
  await using backend = serveWebSocket("a", echoes);
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [valvePlugin("a", marking("A")), valvePlugin("b", marking("B"))],
  });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("hi"), "hi+A+B-B-A");
  assertEquals(backend.connections[0]!.got, ["hi+A+B"]);
});

Deno.test("valves: order as handlers', global before the product's, and a provider may stand anywhere", async () => {
  await using backend = serveWebSocket("a", echoes);
  const first: PluginParts = {
    valves: {
      addValves: (_session, current) => [marking("F"), ...current],
    },
  };
  await using proxy = await startProxyWith({
    backends: [backend.url],
    products: [
      { name: "all", default: true, rules: [{ cluster: "main" }] },
      { name: "other", hosts: ["other"], rules: [{ cluster: "main" }] },
    ],
    plugins: [
      valvePlugin("product", marking("P"), { products: ["all"], order: -9 }),
      valvePlugin("elsewhere", marking("X"), { products: ["other"] }),
      valvePlugin("late", marking("L"), { order: 5 }),
      valvePlugin("early", marking("E"), { order: -5 }),
      partsPlugin("first", first, { products: ["all"] }),
    ],
  });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("hi"), "hi+F+E+L+P-P-L-E-F");
});

Deno.test("valves: null discards at once, later ones are not called, and the session lives", async () => {
  await using backend = serveWebSocket("a", echoes);
  const seen: string[] = [];
  const dropping: MessageValve = {
    beforeTransmit: (message) => textOf(message.data) === "up" ? null : message,
    afterReceive: (message) => textOf(message.data) === "down" ? null : message,
  };
  const noting = (name: string): MessageValve => ({
    beforeTransmit: (message) => {
      seen.push(`${name}+${textOf(message.data)}`);
      return message;
    },
    afterReceive: (message) => {
      seen.push(`${name}-${textOf(message.data)}`);
      return message;
    },
  });
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      valvePlugin("outer", noting("outer")),
      valvePlugin("drop", dropping),
      valvePlugin("inner", noting("inner")),
    ],
  });
  await using client = await WebSocketClient.open(proxy.url());
  client.send("up");
  client.send("down");
  assertEquals(await client.ask("x"), "x");
  assertEquals(backend.connections[0]!.got, ["down", "x"]);
  const seenOf = (text: string) => seen.filter((each) => each.endsWith(text));
  assertEquals(seenOf("up"), ["outer+up"]);
  assertEquals(seenOf("down"), ["outer+down", "inner+down", "inner-down"]);
  assertEquals(seenOf("x"), ["outer+x", "inner+x", "inner-x", "outer-x"]);
  for (const point of ["beforeTransmit", "afterReceive"]) {
    assertEquals(await failuresOf(proxy, point, "drop"), 0);
  }
});

Deno.test("valves: one that throws or answers no message discards it, is counted and logged once, and the session lives", async () => {
  const wrong: [string, (message: WsMessage) => unknown][] = [
    ["throws", () => {
      throw new Error("a bug");
    }],
    ["forgets", () => {}],
    ["waits", (message) => Promise.resolve(message)],
    ["rejects", () => Promise.reject(new Error("a bug"))],
    ["closes", () => ({ type: 32 })],
    ["text", ({ type }) => ({ type, data: "text" })],
    ["no-utf8", () => ({ type: 1, data: new Uint8Array([0xff]) })],
  ];
  for (const [name, answer] of wrong) {
    for (const point of ["beforeTransmit", "afterReceive"] as const) {
      await using backend = serveWebSocket("a", echoes);
      const valve = {
        [point]: (message: WsMessage) =>
          textOf(message.data) === "bad" ? answer(message) : message,
      };
      await using proxy = await startProxyWith({
        backends: [backend.url],
        plugins: [untypedValve(name, valve)],
      });
      await using client = await WebSocketClient.open(proxy.url());
      client.send("bad");
      client.send("bad");
      assertEquals(await client.ask("good"), "good", name);
      assertEquals(await failuresOf(proxy, point, name), 2, name);
      const told = proxy.logged.filter((line) =>
        line.includes("A plugin failed in a WebSocket session")
      );
      assertEquals(told.length, 1, name);
      assert(told[0]!.includes(point));
      assertEquals(
        backend.connections[0]!.got,
        point === "beforeTransmit" ? ["good"] : ["bad", "bad", "good"],
      );
    }
  }
});

Deno.test("valves: what they get is theirs to change and keep; text and binary are told apart", async () => {
  await using backend = serveWebSocket("a", { answer: () => null });
  const kept: WsMessage[] = [];
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [
      valvePlugin("keeper", {
        beforeTransmit: (message) => {
          kept.push(message);
          return message;
        },
      }),
      valvePlugin("changer", {
        beforeTransmit: (message) => {
          const data = message.data.slice();
          data[0] = 65;
          return { type: 1, data };
        },
      }),
    ],
  });
  await using client = await WebSocketClient.open(proxy.url());
  const texts = Array.from({ length: 300 }, (_, i) => `${i}`.padStart(200));
  for (const text of texts) client.send(text);
  client.socket.send(new Uint8Array([1, 66]));
  const { got } = await eventually(
    "a connection",
    () => backend.connections[0],
  );
  await eventually("all messages", () => got.length === 301);
  assertEquals(kept.slice(0, 300).map(({ data }) => textOf(data)), texts);
  assertEquals(kept.map(({ type }) => type), [...texts.map(() => 1), 2]);
  assertEquals(got[300], "AB");
});

Deno.test("valves: pings and closes never reach them, a fragmented message comes whole", async () => {
  await using backend = serveWebSocket("a", echoes);
  const seen: string[] = [];
  const note: PassMessage = (message) => {
    seen.push(textOf(message.data));
    return message;
  };
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cluster: { websocket: { pingInterval: "100ms" } },
    plugins: [valvePlugin("all", { beforeTransmit: note, afterReceive: note })],
  });
  using raw = await HttpClient.connect(proxy.port());
  await raw.send(HANDSHAKE);
  assertEquals((await raw.response()).status, 101);
  const mask = [0, 0, 0, 0];
  await raw.send(new Uint8Array([0x01, 0x81, ...mask, 97]));
  await raw.send(new Uint8Array([0x89, 0x81, ...mask, 112]));
  await raw.send(new Uint8Array([0x80, 0x81, ...mask, 98]));
  await eventually("the answer", () => seen.length === 2);
  await raw.send(new Uint8Array([0x88, 0x82, ...mask, 0x03, 0xe8]));
  await raw.ended();
  assertEquals(seen, ["ab", "ab"]);
});

Deno.test("valves: a failover keeps them, and runs no message through them twice", async () => {
  const a = serveWebSocket("a", { answer: () => null });
  await using b = serveWebSocket("b", echoes);
  let asked = 0;
  const valves: PluginParts = {
    valves: {
      addValves: (_session, current) => {
        asked++;
        return [...current, marking("V")];
      },
    },
  };
  await using proxy = await startProxyWith({
    backends: [a.url, b.url],
    cluster: { balance: "first" },
    plugins: [partsPlugin("valves", valves)],
  });
  await using client = await WebSocketClient.open(proxy.url());
  client.send("1");
  await eventually("a message", () => a.connections[0]?.got.length === 1);
  await a[Symbol.asyncDispose]();
  client.send("2");
  await inTime("answers", client.until(1));
  await eventually("the second answer", () => client.got.includes("2+V-V"));
  assertEquals(asked, 1);
  assert(b.connections[0]!.got.every((text) => /^[12]\+V$/.test(text)));
});

Deno.test("valves: a provider that fails ends the session with 1011, with onError: ignore it goes on without it", async () => {
  const answers: [string, unknown][] = [
    ["undefined", undefined],
    ["a valve alone", marking("X")],
    ["no valve", [{}]],
    ["an async valve", [{ beforeTransmit: async () => {} }]],
    ["a thrown error", new Error("a bug")],
  ];
  for (const [name, answer] of answers) {
    const plugin = partsPlugin("bad", {
      valves: {
        addValves: () => {
          if (answer instanceof Error) throw answer;
          return answer as MessageValve[];
        },
      },
    });
    const good = valvePlugin("good", marking("G"));
    for (const onError of ["refuse", "ignore"]) {
      await using backend = serveWebSocket("a", echoes);
      await using proxy = await startProxyWith({
        backends: [backend.url],
        plugins: [{ ...plugin, onError }, good],
      });
      await using client = await WebSocketClient.open(proxy.url());
      if (onError === "refuse") {
        assertEquals((await inTime("a Close", client.closed)).code, 1011, name);
      } else assertEquals(await client.ask("hi"), "hi+G-G", name);
      assertEquals(await failuresOf(proxy, "addValves", "bad"), 1, name);
    }
  }
});

Deno.test("valves: nothing that came with the handshake passes a session that a plugin refuses", async () => {
  const refusing: [PluginParts, number][] = [
    [{
      valves: {
        addValves: () => {
          throw new Error("a bug");
        },
      },
    }, 1011],
    [{
      sessionListener: {
        sessionCreated: ({ frontend }) => frontend.close(4000),
      },
    }, 4000],
  ];
  for (const [parts, code] of refusing) {
    await using backend = serveWebSocket("a", echoes);
    await using proxy = await startProxyWith({
      backends: [backend.url],
      plugins: [partsPlugin("refusing", parts)],
    });
    using raw = await RawClient.connect(proxy.port());
    await raw.send(`${HANDSHAKE}\x81\x81\0\0\0\0a`);
    await raw.until("a Close", () => /\r\n\r\n\x88.../.test(raw.received));
    const frame = raw.received.slice(raw.received.indexOf("\x88"));
    assertEquals(frame.charCodeAt(2) << 8 | frame.charCodeAt(3), code);
    // Its answer.
    await raw.send("\x88\x80\0\0\0\0");
    const [connection] = backend.connections;
    await eventually(
      "the backend's Close",
      () => connection!.socket.readyState === WebSocket.CLOSED,
    );
    assertEquals(connection!.got, []);
  }
});

Deno.test("valves: the admin's list of plugins tells where they are called, and their failures", async () => {
  await using backend = serveWebSocket("a", echoes);
  const parts: PluginParts = {
    valves: {
      addValves: () => [{
        beforeTransmit: () => {
          throw new Error("a bug");
        },
      }],
    },
    sessionListener: { sessionCreated() {} },
  };
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [partsPlugin("both", parts)],
  });
  await using client = await WebSocketClient.open(proxy.url());
  client.send("x");
  await eventually(
    "the failure",
    async () => (await proxy.report()).plugins[0]!.errors === 1,
  );
  assertEquals((await proxy.report()).plugins[0]!.points, [
    "addValves",
    "beforeTransmit",
    "afterReceive",
    "sessionCreated",
  ]);
});
