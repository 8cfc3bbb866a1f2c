/**
 * Dialers over reloads, and their backends for operators.
 *
 * @module
 */
import type {
  AdminResult,
  BackendAdministrator,
  BackendDialer,
} from "../../core/plugin.ts";
import { RefusedError } from "../../core/data_plane/control.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import {
  dialerPlugin,
  failuresOf,
  startDialing,
} from "../support/dialer_proxy.ts";
import { eventually, inTime } from "../support/eventually.ts";
import { FakeDialer } from "../support/fake_dialer.ts";
import { inlinePlugin } from "../support/inline_plugin.ts";
import { startPlane } from "../support/plane.ts";
import { configWith, startProxyWith } from "../support/proxy_with.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

/** An administrator that answers ids as it is told. */
function administratorWith(
  answer: (action: string, id: string) => AdminResult,
): BackendAdministrator {
  return {
    list: () => [{ id: "b1" }],
    add: (json) => Promise.resolve({ added: json }),
    config: (id) => ({ id }),
    disable: (id) => answer("disable", id),
    enable: (id) => Promise.resolve(answer("enable", id)),
    delete: (id) => answer("delete", id),
    reset: (id) => answer("reset", id),
  };
}

/** For so many milliseconds. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

Deno.test("dialer: a reload leaves its sessions where they are; the new dialer gets new ones", async () => {
  const dialer = new FakeDialer();
  const plugins = [dialerPlugin(dialer)];
  const parts = { cluster: { dialer: "fake" }, plugins };
  await using proxy = await startProxyWith(parts);
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "b1:1");
  await proxy.reload(configWith(parts));
  assertEquals(await client.ask("2"), "b1:2");
  const next = new FakeDialer();
  next.answer = (text) => `next:${text}`;
  await proxy.reload(configWith({ ...parts, plugins: [dialerPlugin(next)] }));
  assertEquals(await client.ask("3"), "b1:3");
  await using second = await WebSocketClient.open(proxy.url());
  assertEquals(await second.ask("1"), "next:1");
  // The old session's next backend is the new dialer's: a stranger to its old connection.
  await dialer.connections[0]!.fail();
  assertEquals(await client.ask("4"), "next:4");
  assertEquals(next.contexts[1]!.oldConnection, undefined);
  assertEquals(next.contexts[1]!.leaving, "b1");
});

Deno.test("dialer: a plugin's instance lives for as long as one of its connections does", async () => {
  const dialer = new FakeDialer();
  let ended = false;
  const dialing = {
    use: inlinePlugin({
      name: "dialing",
      setup: ({ signal }) => {
        signal.addEventListener("abort", () => ended = true);
        return { dialers: { fake: dialer } };
      },
    }),
  };
  await using backend = serveWebSocket("own");
  await using proxy = await startProxyWith({ backends: [backend.url] });
  await using client = await WebSocketClient.open(proxy.url());
  assertEquals(await client.ask("1"), "own:1");
  // Its first backend is Headrace's, the second one a dialer's of a later config.
  await proxy.reload(
    configWith({ cluster: { dialer: "fake" }, plugins: [dialing] }),
  );
  assertEquals(await inTime("an answer", client.ask("2")), "b1:2");
  await proxy.reload(configWith({ backends: [backend.url] }));
  assertEquals([await client.ask("3"), ended], ["b1:3", false]);
  await dialer.connections[0]!.fail();
  assertEquals(await inTime("an answer", client.ask("4")), "own:4");
  await eventually("the instance's end", () => ended);
});

Deno.test("dialer: operators reach its administrator, whose failures are 4 and counted", async () => {
  const dialer = new FakeDialer();
  const asked: string[] = [];
  const withAdministrator: BackendDialer = {
    dialUpstream: (context) => dialer.dialUpstream(context),
    administrator: {
      ...administratorWith((action, id) => {
        asked.push(`${action} ${id}`);
        return id === "none" ? 3 : 1;
      }),
      reset: () => {
        throw new Error("a bug");
      },
    },
  };
  await using proxy = await startDialing(withAdministrator);
  const { supervisor } = proxy;
  assertEquals(await supervisor.administer("main", "list"), {
    result: 1,
    json: '[{"id":"b1"}]',
  });
  assertEquals(await supervisor.administer("main", "add", '{"url":1}'), {
    result: 1,
    json: '{"added":{"url":1}}',
  });
  assertEquals(await supervisor.administer("main", "add", "{"), { result: 4 });
  assertEquals(await supervisor.administer("main", "config", "b1"), {
    result: 1,
    json: '{"id":"b1"}',
  });
  assertEquals(await supervisor.administer("main", "enable", "none"), {
    result: 3,
  });
  assertEquals(await failuresOf(proxy, "add"), 0);
  assertEquals(await supervisor.administer("main", "reset", "b1"), {
    result: 4,
  });
  assertEquals(await failuresOf(proxy, "reset"), 1);

  assertEquals(asked, ["enable none"]);
});

Deno.test("dialer: a deleted backend's sessions go elsewhere, with nothing lost, a disabled one's stay", async () => {
  const dialer = new FakeDialer();
  const withAdministrator: BackendDialer = {
    dialUpstream: (context) => dialer.dialUpstream(context),
    administrator: administratorWith(() => 1),
  };
  await using plane = await startPlane({
    cluster: { dialer: "fake" },
    plugins: [dialerPlugin(withAdministrator)],
  });
  const { plane: { websockets }, port } = plane;
  await using client = await WebSocketClient.open(`http://127.0.0.1:${port}/`);
  assertEquals(await client.ask("1"), "b1:1");
  await plane.plane.administer("main", "disable", "b1");
  assertEquals(await client.ask("2"), "b1:2");
  dialer.answer = async (text, { backendId }) => {
    await pause(20);
    return `${backendId}:${text}`;
  };
  for (const text of ["3", "4", "5"]) client.send(text);
  const [session] = websockets.values();
  await eventually(
    "messages on their way",
    () => session!.proxy.messagesReceived === 5,
  );
  await plane.plane.administer("main", "delete", "b1");
  const second = await dialer.connection(2);
  client.send("6");
  assertEquals(await inTime("all answers", client.until(6)), [
    "b1:1",
    "b1:2",
    "b1:3",
    "b1:4",
    "b1:5",
    "b2:6",
  ]);
  const [first] = dialer.connections;
  assertEquals(
    [first!.closure, first!.closed, second.context.leaving],
    [{ type: 32, code: 1000, reason: "" }, 1, "b1"],
  );
});

Deno.test("dialer: a backend that another worker has deleted already is left, too", async () => {
  const dialer = new FakeDialer();
  let result: AdminResult = 4;
  const withAdministrator: BackendDialer = {
    dialUpstream: (context) => dialer.dialUpstream(context),
    administrator: administratorWith(() => result),
  };
  await using plane = await startPlane({
    cluster: { dialer: "fake" },
    plugins: [dialerPlugin(withAdministrator)],
  });
  await using client = await WebSocketClient.open(
    `http://127.0.0.1:${plane.port}/`,
  );
  assertEquals(await client.ask("1"), "b1:1");
  await plane.plane.administer("main", "delete", "b1");
  assertEquals(await client.ask("2"), "b1:2");
  // Workers may share what they know: this one finds nothing to do.
  result = 3;
  await plane.plane.administer("main", "delete", "b1");
  await inTime("the next connection", dialer.connection(2));
  const [session] = plane.plane.websockets.values();
  await eventually("the move", () => session!.backendId === "b2");
  assertEquals(await inTime("an answer", client.ask("3")), "b2:3");
});

Deno.test("dialer: without an administrator, or without a dialer, there is nobody to ask", async () => {
  await using proxy = await startDialing(new FakeDialer(), {
    clusters: [{ name: "other", backends: [] }],
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
  });
  for (const cluster of ["main", "other", "none"]) {
    assertEquals(await proxy.supervisor.administer(cluster, "list"), undefined);
  }
});

Deno.test("dialer: a name that no plugin has, and one that two have, are refused", async () => {
  const refusals: [string[], object[]][] = [
    [
      ['clusters "main": no plugin has a dialer "fake"; did you mean "fak"?'],
      [dialerPlugin(new FakeDialer(), "fak")],
    ],
    [
      ['plugin "two": the dialer "fake" is already plugin "one"\'s'],
      [
        { ...dialerPlugin(new FakeDialer()), name: "one" },
        { ...dialerPlugin(new FakeDialer()), name: "two" },
      ],
    ],
  ];
  await using proxy = await startProxyWith({});
  for (const [problems, plugins] of refusals) {
    const error = await assertRejects(
      () => proxy.reload(configWith({ cluster: { dialer: "fake" }, plugins })),
      RefusedError,
    );
    assertEquals(error.problems, problems);
  }
});
