/**
 * wsbalancer's routes and `/api/` for backends that plugins' dialers know.
 *
 * @module
 */
import type {
  AdminResult,
  BackendAdministrator,
  BackendDialer,
} from "../../core/plugin.ts";
import { AdminClient } from "../support/admin_client.ts";
import { assertEquals } from "../support/assert.ts";
import { dialerPlugin } from "../support/dialer_proxy.ts";
import { eventually } from "../support/eventually.ts";
import { FakeDialer } from "../support/fake_dialer.ts";
import {
  serveWebSocket,
  WebSocketClient,
} from "../support/websocket_backend.ts";

const S = '200 {"result":"success"}';
const N = '200 {"result":"success", "reason":"NoActionRequired"}';
const F = '200 {"result":"failed"}';
const NOT_IMPLEMENTED = '501 {"result":"failed", "reason":"NotImplemented"}';

/** Knows what it is told, and says what it is asked. */
class Administrator implements BackendAdministrator {
  readonly asked: string[] = [];
  readonly known: Map<string, unknown>;

  constructor(...ids: string[]) {
    this.known = new Map(ids.map((id) => [id, { id, zone: "z" }]));
  }

  list = () => [...this.known.values()];
  add = (json: unknown) => {
    const { id } = json as { id: string };
    this.known.set(id, json);
    return { id };
  };
  config = (id: string) => this.known.get(id) ?? {};
  disable = (id: string) => this.#ask("disable", id);
  enable = (id: string) => this.#ask("enable", id);
  reset = (id: string) => this.#ask("reset", id);
  delete = (id: string): AdminResult => {
    this.asked.push(`delete ${id}`);
    return this.known.delete(id) ? 1 : 3;
  };

  #ask(action: string, id: string): AdminResult {
    this.asked.push(`${action} ${id}`);
    return this.known.has(id) ? 1 : 4;
  }
}

function dialerWith(
  administrator: BackendAdministrator | undefined,
  dialer = new FakeDialer(),
): BackendDialer {
  return {
    dialUpstream: (context) => dialer.dialUpstream(context),
    ...(administrator !== undefined && { administrator }),
  };
}

function startAdmin(
  clusters: readonly object[],
  plugins: readonly object[],
  backendCluster?: string,
): Promise<AdminClient> {
  return AdminClient.start({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    products: [{ name: "all", default: true, rules: [{ cluster: "main" }] }],
    clusters,
    plugins,
    ...(backendCluster !== undefined && { admin: { backendCluster } }),
    workers: 1,
    log: { level: "error" },
  });
}

/** Status and text of an answer. */
async function said(
  admin: AdminClient,
  method: string,
  path: string,
  body?: unknown,
): Promise<string> {
  const { status, text } = await admin.ask(method, path, body);
  return `${status} ${text}`;
}

Deno.test("wsbalancer: a dialer's administrator answers the backend routes", async () => {
  const administrator = new Administrator("b1", "b2");
  await using admin = await startAdmin(
    [{ name: "main", dialer: "fake" }],
    [dialerPlugin(dialerWith(administrator))],
  );
  assertEquals(
    await said(admin, "GET", "/backend/list"),
    '200 [{"id":"b1","zone":"z"},{"id":"b2","zone":"z"}]',
  );
  assertEquals(
    await said(admin, "GET", "/backend/config/b2"),
    '200 {"id":"b2","zone":"z"}',
  );
  assertEquals(await said(admin, "GET", "/backend/config/none"), "200 {}");
  for (const action of ["disable", "enable", "reset"]) {
    assertEquals(await said(admin, "POST", `/backend/${action}/b1`), S);
    assertEquals(await said(admin, "POST", `/backend/${action}/none`), F);
  }
  assertEquals(
    await said(admin, "POST", "/backend/add", { id: "b3", whatever: 1 }),
    S,
  );
  assertEquals(administrator.known.get("b3"), { id: "b3", whatever: 1 });
  assertEquals(await said(admin, "POST", "/backend/add", "{"), F);
  assertEquals(await said(admin, "POST", "/backend/delete/b3"), S);
  assertEquals(await said(admin, "POST", "/backend/delete/b3"), N);
  assertEquals(
    await said(admin, "GET", "/backend/delete/b1"),
    '400 {"result":"failed", "reason":"OnlyPostAllowed"}',
  );
  assertEquals(administrator.asked.filter((one) => one.startsWith("dis")), [
    "disable b1",
    "disable none",
  ]);
});

Deno.test("wsbalancer: 501 where no dialer has an administrator, before the method is judged", async () => {
  await using admin = await startAdmin(
    [{ name: "main", dialer: "fake" }],
    [dialerPlugin(dialerWith(undefined))],
  );
  for (
    const path of [
      "list",
      "add",
      "config/b1",
      "disable/b1",
      "enable/b1",
      "reset/b1",
      "delete/b1",
    ]
  ) {
    for (const method of ["GET", "POST"]) {
      assertEquals(
        await said(admin, method, `/backend/${path}`),
        NOT_IMPLEMENTED,
        `${method} ${path}`,
      );
    }
  }
});

Deno.test("wsbalancer: own backends stand beside a dialer's, and come first", async () => {
  await using own = serveWebSocket("own");
  const administrator = new Administrator("b1", "a");
  await using admin = await startAdmin(
    [
      { name: "main", backends: [{ id: "a", url: own.url }] },
      { name: "far", dialer: "fake" },
      { name: "closed", dialer: "other" },
    ],
    [
      dialerPlugin(dialerWith(administrator)),
      dialerPlugin(dialerWith(undefined), "other"),
    ],
    "closed",
  );
  const ids = (await admin.json("/backend/list")).map((
    { id }: { id: string },
  ) => id);
  assertEquals(ids, ["a", "b1", "a"]);
  assertEquals(await said(admin, "POST", "/backend/disable/a"), S);
  assertEquals(administrator.asked, [], "its id is an own one's");
  assertEquals(await said(admin, "POST", "/backend/disable/b1"), S);
  assertEquals(await said(admin, "POST", "/backend/delete/none"), N);
  assertEquals(administrator.asked, ["disable b1", "delete none"]);
  assertEquals(
    await said(admin, "POST", "/backend/add", { url: "ws://h:1" }),
    NOT_IMPLEMENTED,
    "where it would be added nobody can",
  );
});

Deno.test("wsbalancer: sessions leave a dialer's backend that is deleted, and lose nothing", async () => {
  const dialer = new FakeDialer();
  const administrator = new Administrator("b1", "b2");
  await using admin = await startAdmin(
    [{ name: "main", dialer: "fake" }],
    [dialerPlugin(dialerWith(administrator, dialer))],
  );
  await using client = await WebSocketClient.open(admin.proxy.url());
  assertEquals(await client.ask("1"), "b1:1");
  assertEquals(await said(admin, "POST", "/backend/failover/none"), N);
  assertEquals(await said(admin, "POST", "/backend/delete/b1"), S);
  await eventually("the next connection", () => dialer.connections[1]);
  await eventually(
    "the session's move",
    async () => (await admin.json("/session/list"))[0].backendId === "b2",
  );
  assertEquals(await client.ask("2"), "b2:2");
  assertEquals(await said(admin, "POST", "/backend/failover/b2"), S);
  await eventually("the third connection", () => dialer.connections[2]);
  assertEquals(await client.ask("3"), "b3:3");
});

Deno.test("wsbalancer: a dialer's backend that is deleted while a session comes to it is left, too", async () => {
  const dialer = new FakeDialer();
  const thinking = Promise.withResolvers<void>();
  dialer.answer = async (text, { backendId }) => {
    if (text === "2") await thinking.promise;
    return `${backendId}:${text}`;
  };
  const administrator = new Administrator("b1", "b2");
  await using admin = await startAdmin(
    [{ name: "main", dialer: "fake" }],
    [dialerPlugin(dialerWith(administrator, dialer))],
  );
  await using client = await WebSocketClient.open(admin.proxy.url());
  assertEquals(await client.ask("1"), "b1:1");
  client.send("2");
  await eventually(
    "its thinking",
    () => dialer.connections[0]!.got.length === 2,
  );
  assertEquals(await said(admin, "POST", "/backend/failover/b1"), S);
  const session = async () =>
    (await admin.json("/api/websockets")).websockets[0];
  await eventually(
    "the move",
    async () => (await session()).state === "draining",
  );
  assertEquals((await session()).backend, "b2");
  assertEquals(await said(admin, "POST", "/backend/delete/b2"), S);
  thinking.resolve();
  await eventually(
    "the next move",
    async () => (await session()).backend === "b3",
  );
  assertEquals(await client.ask("3"), "b3:3");
  assertEquals(client.got, ["b1:1", "b1:2", "b3:3"]);
});

Deno.test("/api/clusters/NAME/dialer/backends: the same powers", async () => {
  const administrator = new Administrator("b1");
  await using own = serveWebSocket("own");
  await using admin = await startAdmin(
    [
      { name: "main", dialer: "fake" },
      { name: "own", backends: [{ url: own.url }] },
    ],
    [dialerPlugin(dialerWith(administrator))],
  );
  const base = "/api/clusters/main/dialer/backends";
  assertEquals(await admin.json(base), {
    result: "success",
    value: [{ id: "b1", zone: "z" }],
  });
  const added = await admin.ask("POST", base, { id: "b2" });
  assertEquals(JSON.parse(added.text), {
    result: "success",
    value: { id: "b2" },
  });
  assertEquals(await admin.json(`${base}/b2`), {
    result: "success",
    value: { id: "b2" },
  });
  const result = async (method: string, path: string) =>
    JSON.parse((await admin.ask(method, base + path)).text).result;
  assertEquals(await result("POST", "/b2/disable"), "success");
  assertEquals(await result("POST", "/none/enable"), "failed");
  assertEquals(await result("POST", "/b2/reset"), "success");
  assertEquals(await result("DELETE", "/b2"), "success");
  assertEquals(await result("DELETE", "/b2"), "no action required");
  const status = async (path: string) => (await admin.ask("GET", path)).status;
  assertEquals(await status("/api/clusters/own/dialer/backends"), 501);
  assertEquals(await status("/api/clusters/none/dialer/backends"), 404);
});
