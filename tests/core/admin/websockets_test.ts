/**
 * The routes of WebSocket sessions, of clusters' backends and of listeners.
 *
 * @module
 */
import { RefusedError } from "../../../core/data_plane/control.ts";
import {
  BackendRefusal,
  type BackendRefusalKind,
} from "../../../core/supervisor/backend_changes.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { fakeApp, FakeSource, REPORT, WEBSOCKET } from "./fake_source.ts";

const POST = { method: "POST" };
const DELETE = { method: "DELETE" };

function post(body: unknown) {
  return { method: "POST", body: JSON.stringify(body) };
}

Deno.test("/api/websockets lists sessions, by default 100 whatever they are", async () => {
  const { app, source } = fakeApp();
  const answer = await app.request("/api/websockets");
  assertEquals([answer.status, await answer.json()], [200, {
    websocketsOpen: 7,
    websockets: [WEBSOCKET],
  }]);
  const nothing = undefined;
  assertEquals(source.queries, [{
    cluster: nothing,
    backend: nothing,
    listener: nothing,
    state: nothing,
    limit: 100,
  }]);
});

Deno.test("/api/websockets passes its filters on, decoded", async () => {
  const { app, source } = fakeApp();
  const answer = await app.request(
    "/api/websockets?cluster=api&backend=a%2F1&listener=web&state=holding&limit=5",
  );
  await answer.body?.cancel();
  assertEquals(source.queries, [{
    cluster: "api",
    backend: "a/1",
    listener: "web",
    state: "holding",
    limit: 5,
  }]);
});

for (
  const [query, error] of [
    ["limit=x", "Cannot take limit as it must be a whole number"],
    ["state=closed", "Cannot take state as it must be one of open, dialling"],
    [
      "backends=a1",
      'Cannot take the query as it may have limit, cluster, backend, listener, state: current key is "backends"',
    ],
  ] as const
) {
  Deno.test(`/api/websockets refuses ${query}`, async () => {
    const { app, source, log } = fakeApp();
    const answer = await app.request(`/api/websockets?${query}`);
    assertEquals(answer.status, 400);
    assertStringIncludes((await answer.json()).error, error);
    assertEquals([source.queries, log.lines], [[], []]);
  });
}

Deno.test("/api/websockets/:id/abort and failover tell what came of it", async () => {
  const { app } = fakeApp();
  for (
    const [path, status, key] of [
      ["w1/abort", 200, "aborted"],
      ["w9/abort", 404, "error"],
      ["w1/failover", 202, "moving"],
      ["w2/failover", 409, "error"],
      ["w9/failover", 404, "error"],
    ] as const
  ) {
    const answer = await app.request(`/api/websockets/${path}`, POST);
    assertEquals(
      [answer.status, Object.keys(await answer.json())],
      [status, [key]],
      path,
    );
  }
});

Deno.test("/api/backends/:id/failover tells how many sessions move", async () => {
  const { app } = fakeApp();
  const answer = await app.request("/api/backends/a1/failover", POST);
  assertEquals([answer.status, await answer.json()], [200, {
    sessions: 3,
    moving: 2,
  }]);
  const missing = await app.request("/api/backends/b9/failover", POST);
  assertEquals(missing.status, 404);
  await missing.body?.cancel();
});

Deno.test("POST /api/clusters/:name/backends adds what the body says", async () => {
  const { app, source } = fakeApp();
  const body = { url: "http://10.0.0.2:1", weight: 2 };
  const answer = await app.request(
    "/api/clusters/my%20api/backends",
    post({ ...body, subcluster: "east" }),
  );
  assertEquals([answer.status, await answer.json()], [201, {
    backend: REPORT.backends[0],
  }]);
  assertEquals(source.additions, [{
    cluster: "my api",
    subcluster: "east",
    entry: body,
  }]);
});

for (
  const [kind, status] of [
    ["unknown", 404],
    ["invalid", 400],
    ["id", 409],
    ["url", 409],
  ] as const satisfies readonly (readonly [BackendRefusalKind, number])[]
) {
  Deno.test(`POST /api/clusters/:name/backends answers ${status} where it is refused (${kind})`, async () => {
    const source = new FakeSource();
    source.planesFailure = new BackendRefusal(kind, "because");
    const { app } = fakeApp({ source });
    const answer = await app.request("/api/clusters/api/backends", post({}));
    assertEquals([answer.status, await answer.json()], [status, {
      error: "because",
    }]);
  });
}

for (
  const [body, error] of [
    ["{", "Cannot read the body as JSON: "],
    ["[]", "Cannot take the body as it must be an object"],
    ["null", "Cannot take the body as it must be an object"],
    ['{"subcluster":1}', "Cannot take subcluster as it must be a name"],
  ] as const
) {
  Deno.test(`POST /api/clusters/:name/backends refuses ${body}`, async () => {
    const { app, source } = fakeApp();
    const answer = await app.request("/api/clusters/api/backends", {
      method: "POST",
      body,
    });
    assertEquals(answer.status, 400);
    assertStringIncludes((await answer.json()).error, error);
    assertEquals(source.additions, []);
  });
}

Deno.test("DELETE /api/clusters/:name/backends/:id deletes a backend of that cluster only", async () => {
  const { app } = fakeApp();
  for (
    const [path, status] of [
      ["api/backends/a1", 200],
      ["api/backends/b9", 404],
      ["other/backends/a1", 404],
    ] as const
  ) {
    const answer = await app.request(`/api/clusters/${path}`, DELETE);
    assertEquals(answer.status, status, path);
    await answer.body?.cancel();
  }
});

Deno.test("changes of backends answer 409 while the proxy is not ready, 422 where the workers refuse", async () => {
  const requests = [
    ["/api/clusters/api/backends", post({ url: "http://a:1" })],
    ["/api/clusters/api/backends/a1", DELETE],
  ] as const;
  for (const [path, init] of requests) {
    const { app, source } = fakeApp();
    source.planesFailure = new RefusedError(["one", "two"]);
    const refused = await app.request(path, init);
    assertEquals([refused.status, await refused.json()], [422, {
      problems: ["one", "two"],
    }]);
    source.state = "draining";
    const early = await app.request(path, init);
    assertEquals(early.status, 409);
    assertStringIncludes((await early.json()).error, "draining");
  }
  const { app, source } = fakeApp();
  source.state = "draining";
  const paused = await app.request("/api/listeners/web/pause", POST);
  assertEquals(paused.status, 409);
  await paused.body?.cancel();
});

Deno.test("wsbalancer's routes tell a refusal of the workers in its form", async () => {
  const source = new FakeSource();
  source.planesFailure = new RefusedError(["it drains"]);
  const { app } = fakeApp({ source });
  for (
    const [path, init] of [
      ["/backend/add", post({ url: "ws://a:1" })],
      ["/backend/delete/a1", POST],
    ] as const
  ) {
    const answer = await app.request(path, init);
    assertEquals([answer.status, await answer.json()], [409, {
      result: "failed",
      reason: "it drains",
    }]);
  }
});

Deno.test("wsbalancer's routes want the token and the Host like all others", async () => {
  const { app } = fakeApp({ token: "secret" });
  for (const path of ["/backend/list", "/session/list", "/frontend/list"]) {
    const without = await app.request(path);
    const host = { host: "evil.example", authorization: "Bearer secret" };
    const rebound = await app.request(path, { headers: host });
    const right = await app.request(path, {
      headers: { authorization: "Bearer secret" },
    });
    assertEquals(
      [without.status, rebound.status, right.status],
      [401, 403, 200],
    );
    for (const answer of [without, rebound, right]) await answer.body?.cancel();
  }
  const { app: open } = fakeApp();
  const crossed = await open.request("/session/abort/w1", {
    method: "POST",
    headers: { origin: "https://evil.example" },
  });
  assertEquals(crossed.status, 403);
  await crossed.body?.cancel();
});

Deno.test("wsbalancer's backend routes are 501 only where all backends are plugins' without an administrator", async () => {
  const source = new FakeSource();
  source.administer = () => Promise.resolve(undefined);
  const [cluster] = source.config.clusters;
  const foreign = { ...cluster!, dialer: "mine" };
  const body = '{"result":"failed", "reason":"NotImplemented"}';
  for (
    const [clusters, status] of [
      [[foreign], 501],
      [[foreign, cluster!], 200],
    ] as const
  ) {
    source.config = { ...source.config, clusters };
    const { app } = fakeApp({ source });
    for (
      const path of [
        "list",
        "config/a1",
        ...["disable", "enable", "reset", "delete"].map((verb) => `${verb}/a1`),
      ]
    ) {
      const answer = await app.request(`/backend/${path}`, POST);
      assertEquals(answer.status, status, path);
      const text = await answer.text();
      if (status === 501) assertEquals(text, body);
    }
  }
  // It is told before the method is.
  source.config = { ...source.config, clusters: [foreign] };
  const { app } = fakeApp({ source });
  for (const path of ["/backend/add", "/backend/disable/a1"]) {
    const answer = await app.request(path);
    assertEquals([answer.status, await answer.text()], [501, body]);
  }
  source.administer = () => Promise.resolve({ result: 1, json: "[]" });
  const answer = await app.request("/backend/list");
  assertEquals(answer.status, 200);
  await answer.body?.cancel();
});
