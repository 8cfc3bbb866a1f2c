/**
 * The routes of the cache.
 *
 * @module
 */
import { RefusedError } from "../../../core/data_plane/control.ts";
import { assertEquals } from "../../support/assert.ts";
import { CACHE, fakeApp } from "./fake_source.ts";

function post(body: unknown) {
  return { method: "POST", body: JSON.stringify(body) };
}

Deno.test("/api/cache tells what there is", async () => {
  const { app, source } = fakeApp();
  const answer = await app.request("/api/cache");
  assertEquals([answer.status, await answer.json()], [200, CACHE]);
  source.cache = undefined;
  const none = await app.request("/api/cache");
  await none.body?.cancel();
  assertEquals(none.status, 404);
});

Deno.test("/api/cache/purge passes on what is to be forgotten, as keys have it", async () => {
  const { app, source } = fakeApp();
  const rows: [body: unknown, purge: unknown][] = [
    [{ url: "HTTP://Example.com:80/A?b" }, {
      kind: "url",
      url: "http://example.com/A?b",
    }],
    [{ url: "https://a.example" }, { kind: "url", url: "https://a.example/" }],
    [{ url: "http://h?x=1" }, { kind: "url", url: "http://h/?x=1" }],
    [{ url: "http://H.x.:80/" }, { kind: "url", url: "http://h.x/" }],
    [{ prefix: "http://h?x" }, { kind: "prefix", prefix: "http://h/?x" }],
    [{ prefix: "http://a.example:8080/x" }, {
      kind: "prefix",
      prefix: "http://a.example:8080/x",
    }],
    [{ tag: "one" }, { kind: "tag", tag: "one" }],
    [{ all: true }, { kind: "all" }],
  ];
  for (const [body, purge] of rows) {
    const answer = await app.request("/api/cache/purge", post(body));
    assertEquals([answer.status, await answer.json()], [200, { purged: 3 }]);
    assertEquals(source.purges.pop(), purge);
  }
});

Deno.test("/api/cache/purge is answered 503 where no worker is there to follow", async () => {
  const { app, source } = fakeApp();
  source.planesFailure = new RefusedError(["No worker is there now"]);
  const answer = await app.request("/api/cache/purge", post({ all: true }));
  assertEquals([answer.status, await answer.json()], [
    503,
    { error: "No worker is there now" },
  ]);
});

Deno.test("/api/cache/purge is answered 500 where a worker can't forget", async () => {
  const { app, source } = fakeApp();
  source.planesFailure = new Error("The disk is gone");
  const answer = await app.request("/api/cache/purge", post({ all: true }));
  assertEquals([answer.status, await answer.json()], [
    500,
    { error: "The disk is gone" },
  ]);
});

Deno.test("/api/cache/purge refuses what it can't follow", async () => {
  const { app, source } = fakeApp();
  source.cache = undefined;
  const nothing = await app.request("/api/cache/purge", post({ all: true }));
  await nothing.body?.cancel();
  assertEquals(nothing.status, 404);
  source.purges.length = 0;
  source.cache = CACHE;
  for (
    const body of [
      {},
      { url: "/x" },
      { url: "" },
      { url: 1 },
      { all: false },
      { tag: "a", url: "http://a/" },
      { what: "a" },
    ]
  ) {
    const answer = await app.request("/api/cache/purge", post(body));
    await answer.body?.cancel();
    assertEquals(answer.status, 400, JSON.stringify(body));
  }
  assertEquals(source.purges, []);
});
