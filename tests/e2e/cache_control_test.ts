/**
 * `builtin:cache-control` through sockets: its sample, and what the cache and
 * its clients see.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { cachedProxy } from "../support/cached_proxy.ts";
import { HttpClient } from "../support/http_client.ts";
import { startSample } from "../support/sample_proxy.ts";

Deno.test("the sample of cache-control says how long to keep what", async () => {
  await using proxy = await startSample("cache_control");
  using client = await HttpClient.connect(proxy.port());
  const page = await client.get("/");
  assertEquals(page.headers.get("cache-control"), "no-cache");
  assertEquals(page.headers.get("cdn-cache-control"), "max-age=60");
  const asset = await client.get("/assets/a.css");
  assertEquals(
    asset.headers.get("cache-control"),
    "max-age=31536000, public, immutable",
  );
});

const RULES = [
  { types: ["text/*"], remove: ["no-store"], set: { maxAge: "10m" } },
];

function use(who: "all" | "clients"): object {
  return {
    use: "builtin:cache-control",
    options: { rules: RULES, for: who },
  };
}

Deno.test("cache-control has the cache store what its backend forbids", async () => {
  const headers = {
    "cache-control": "no-store, x=1",
    "content-type": "text/plain",
  };
  await using t = await cachedProxy(() => new Response("a", { headers }), {
    plugins: [use("all")],
  });
  const first = await t.get();
  assertEquals(first.headers.get("cache-control"), "max-age=600, x=1");
  t.pass(100);
  const second = await t.get();
  assertMatch(second.cache, /hit/);
  assertEquals(second.headers.get("cache-control"), "max-age=600, x=1");
  assertEquals(t.asked.length, 1);
});

Deno.test("cache-control for clients leaves the cache what the backend said", async () => {
  const headers = {
    "cache-control": "max-age=60",
    "content-type": "text/plain",
    etag: '"1"',
  };
  await using t = await cachedProxy(
    (request) =>
      request.headers.get("if-none-match") === '"1"'
        ? new Response(null, { status: 304, headers: { etag: '"1"' } })
        : new Response("a", { headers }),
    {
      plugins: [use("clients")],
    },
  );
  const conditional = { headers: { "if-none-match": '"1"' } };
  assertEquals((await t.get()).headers.get("cache-control"), "max-age=600");
  t.pass(50);
  const aged = await t.get("/", conditional);
  assertEquals(aged.status, 304);
  // The backend's Date has whole seconds: one more may have begun.
  const age = Number(aged.headers.get("age"));
  assert(age === 50 || age === 51, `${age}`);
  assertEquals(aged.headers.get("cache-control"), `max-age=${600 + age}`);
  t.pass(20);
  const stale = await t.get("/", conditional);
  assertEquals(stale.status, 304);
  assertEquals(stale.headers.get("cache-control"), "max-age=600");
  assertEquals(t.asked.length, 2);
});
