/**
 * `/api/explain` and `/api/transactions/ID`: what they ask, and what they refuse.
 *
 * @module
 */
import { RefusedError } from "../../../core/data_plane/control.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { EXPLANATION, fakeApp, TRACE } from "./fake_source.ts";

/** What JSON makes of it: admin answers show undefined as null. */
function asJson(value: unknown) {
  return JSON.parse(
    JSON.stringify(value, (_key, inner) => inner === undefined ? null : inner),
  );
}

Deno.test("GET /api/explain takes the request from the query", async () => {
  const { app, source } = fakeApp();
  const query = new URLSearchParams([
    ["url", "http://a.example/x?y=1&z"],
    ["method", "POST"],
    ["header", "X-A: 1"],
    ["header", "X-B:2:3"],
    ["body", "{}"],
    ["client", "192.0.2.1"],
    ["listener", "web"],
  ]);
  const answer = await app.request(`/api/explain?${query}`);
  assertEquals(answer.status, 200);
  assertEquals(await answer.json(), asJson(EXPLANATION));
  assertEquals(source.explained, [{
    url: "http://a.example/x?y=1&z",
    method: "POST",
    headers: [["X-A", "1"], ["X-B", "2:3"]],
    body: "{}",
    client: "192.0.2.1",
    listener: "web",
  }]);
});

Deno.test("POST /api/explain takes the request from JSON", async () => {
  const { app, source } = fakeApp();
  const answer = await app.request("/api/explain", {
    method: "POST",
    body: JSON.stringify({
      url: "http://a/",
      headers: { "x-a": "1", cookie: ["a=1", "b=2"] },
      body: "x",
      client: null,
    }),
  });
  assertEquals(answer.status, 200);
  assertEquals(await answer.json(), asJson(EXPLANATION));
  assertEquals(source.explained, [{
    url: "http://a/",
    method: undefined,
    headers: [["x-a", "1"], ["cookie", "a=1"], ["cookie", "b=2"]],
    body: "x",
    client: undefined,
    listener: undefined,
  }]);
});

for (
  const [query, reason] of [
    ["", "url must be given"],
    ["?url=http://a&header=x", 'header must be "name: value"'],
    ["?url=http://a&headers=x:1", 'current key is "headers"'],
  ] as const
) {
  Deno.test(`GET /api/explain${query} is refused: ${reason}`, async () => {
    const { app, source } = fakeApp();
    const answer = await app.request(`/api/explain${query}`);
    assertEquals(answer.status, 400);
    assertStringIncludes((await answer.json()).error, reason);
    assertEquals(source.explained, []);
  });
}

for (
  const [body, reason] of [
    ["{", "as JSON"],
    ["[]", "must be an object"],
    ["{}", "url must be given"],
    ['{"url":1}', "url must be text"],
    ['{"url":"http://a","header":"x: 1"}', 'current key is "header"'],
    ['{"url":"http://a","headers":["x: 1"]}', "headers must be an object"],
    ['{"url":"http://a","headers":{"x":1}}', "headers must be texts"],
  ] as const
) {
  Deno.test(`POST /api/explain refuses ${body}: ${reason}`, async () => {
    const { app, source } = fakeApp();
    const answer = await app.request("/api/explain", { method: "POST", body });
    assertEquals(answer.status, 400);
    assertStringIncludes((await answer.json()).error, reason);
    assertEquals(source.explained, []);
  });
}

Deno.test("/api/explain answers 400 where the source finds no request in it, 500 where it fails", async () => {
  const { app, source } = fakeApp();
  source.explainFailure = new RefusedError(["no listener has this name"]);
  const refused = await app.request("/api/explain?url=http://a");
  assertEquals(refused.status, 400);
  assertEquals(await refused.json(), { error: "no listener has this name" });
  source.explainFailure = new Error("lost");
  const failed = await app.request("/api/explain?url=http://a");
  assertEquals(failed.status, 500);
  await failed.body?.cancel();
});

Deno.test("/api/explain and traces are not for who has no token", async () => {
  const { app } = fakeApp({ token: "secret" });
  for (const path of ["/api/explain?url=http://a", "/api/transactions/a1"]) {
    const answer = await app.request(path);
    assertEquals(answer.status, 401);
    await answer.body?.cancel();
  }
});

Deno.test("/api/transactions/ID tells the trace, 404 where there is none", async () => {
  const { app } = fakeApp();
  const answer = await app.request(`/api/transactions/${TRACE.id}`);
  assertEquals(answer.status, 200);
  assertEquals(await answer.json(), asJson(TRACE));
  const unknown = await app.request("/api/transactions/none");
  assertEquals(unknown.status, 404);
  assertStringIncludes((await unknown.json()).error, '"none"');
});
