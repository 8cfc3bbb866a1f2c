/**
 * What backends say of what is stored, and whom it concerns.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { cachedProxy, fresh } from "../support/cached_proxy.ts";
import { eventually } from "../support/eventually.ts";

Deno.test("what a backend says for one client alone changes nothing of what others get", async () => {
  // The backend knows this client: its answers are for nobody else.
  const own = {
    "cache-control": "private, max-age=60",
    "set-cookie": "sid=secret",
    etag: '"a"',
    vary: "foo",
  };
  await using cached = await cachedProxy(({ method, headers }) =>
    !headers.has("cookie")
      ? fresh("12345", { etag: '"a"', vary: "foo" })
      : method === "HEAD"
      ? new Response("12345", { headers: own })
      : new Response(null, { status: 304, headers: own })
  );
  const known = { cookie: "sid=secret" };
  await cached.get();
  const chosen = await cached.get("/", { headers: { ...known, foo: "1" } });
  assertEquals([chosen.text, chosen.headers.get("set-cookie")], [
    "12345",
    "sid=secret",
  ]);
  const other = await cached.get();
  assertStringIncludes(other.cache, "; hit");
  assertEquals(other.headers.get("set-cookie"), null);
  await cached.get("/", {
    method: "HEAD",
    headers: { ...known, "cache-control": "no-cache" },
  });
  const later = await cached.get();
  assertEquals(later.headers.get("set-cookie"), null);
  assertEquals(later.headers.get("cache-control"), "max-age=60");
});

Deno.test("those who wait for a validation do not share what is for one client", async () => {
  const gate = Promise.withResolvers<void>();
  await using cached = await cachedProxy(async ({ headers }, times) => {
    if (!headers.has("if-none-match")) {
      return fresh(`body ${times}`, { etag: '"a"' });
    }
    await gate.promise;
    return new Response(null, {
      status: 304,
      headers: { "cache-control": "private", "set-cookie": "sid=secret" },
    });
  });
  await cached.get();
  cached.pass(60);
  const first = cached.get();
  await eventually("the backend is asked", () => cached.asked.length === 2);
  const second = cached.get();
  await eventually(
    "the second waits",
    async () => (await cached.proxy.report()).cache?.waiting === 1,
  );
  gate.resolve();
  assertEquals((await first).headers.get("set-cookie"), "sid=secret");
  const other = await second;
  assertEquals([other.text, other.headers.get("set-cookie")], ["body 3", null]);
});

Deno.test("a 304 that names further fields in Vary is one for those of its request", async () => {
  await using cached = await cachedProxy(({ headers }) =>
    headers.has("if-none-match")
      ? new Response(null, {
        status: 304,
        headers: { "cache-control": "max-age=60", vary: "foo" },
      })
      : fresh(`for ${headers.get("foo")}`, { etag: '"a"' })
  );
  const one = { headers: { foo: "one" } };
  await cached.get("/", one);
  cached.pass(60);
  await cached.get("/", one);
  assertStringIncludes((await cached.get("/", one)).cache, "; hit");
  const other = await cached.get("/");
  assertStringIncludes(other.cache, "fwd=vary-miss");
});

Deno.test("fields that a backend keeps from others reach the client that they are for", async () => {
  const control = 'no-cache="Set-Cookie", private="X-Me, Date, Connection"';
  await using cached = await cachedProxy(({ headers }, times) => {
    const own = {
      "set-cookie": `sid=${times}`,
      "x-me": `${times}`,
      "cache-control": `max-age=60, ${control}`,
      etag: '"a"',
      vary: "x-v",
    };
    return headers.has("if-none-match")
      ? new Response(null, { status: 304, headers: own })
      : new Response("body", { headers: own });
  });
  const get = async (headers: Record<string, string> = {}) => {
    const got = await cached.get("/", { headers });
    assertEquals(got.text, "body");
    assertEquals(got.headers.get("date")?.split(",").length, 2);
    return ["set-cookie", "x-me"].map((name) => got.headers.get(name));
  };
  assertEquals(await get(), ["sid=1", "1"]);
  assertEquals(await get(), [null, null]);
  cached.pass(60);
  assertEquals(await get(), ["sid=2", "2"]);
  assertEquals(await get(), [null, null]);
  // Its backend chooses what is stored for others.
  assertEquals(await get({ "x-v": "1" }), ["sid=3", "3"]);
  assertEquals(await get({ "x-v": "1" }), [null, null]);
});

Deno.test("a HEAD with a Range is no request for a stored part", async () => {
  await using cached = await cachedProxy(({ headers, method }) =>
    method === "GET" && headers.has("range")
      ? new Response("01234", {
        status: 206,
        headers: {
          etag: '"a"',
          "content-range": "bytes 0-4/10",
          "cache-control": "max-age=60",
        },
      })
      : fresh("0123456789", { etag: '"a"' })
  );
  const headers = { range: "bytes=0-4" };
  assertEquals((await cached.get("/", { headers })).status, 206);
  const head = await cached.get("/", { method: "HEAD", headers });
  assertEquals(head.status, 200);
  assertEquals(head.headers.get("content-range"), null);
  assertEquals(head.headers.get("content-length"), "10");
});

Deno.test("a HEAD's 200 says nothing of a stored error", async () => {
  await using cached = await cachedProxy(({ method }, times) =>
    method === "HEAD" || times > 1
      // No length by which they could be told apart.
      ? fresh(ReadableStream.from([new TextEncoder().encode("found")]))
      : new Response("none", {
        status: 404,
        headers: { "cache-control": "max-age=10" },
      })
  );
  await cached.get();
  cached.pass(20);
  assertEquals((await cached.get("/", { method: "HEAD" })).status, 200);
  const found = await cached.get();
  assertEquals([found.status, found.text], [200, "found"]);
});

Deno.test("what a request has of its own takes nothing away from others", async () => {
  const rows = ["GET", "HEAD"].flatMap((method): RequestInit[] => [
    {
      method,
      headers: { "cache-control": "no-cache", authorization: "Basic x" },
    },
    { method, headers: { "cache-control": "no-cache, no-store" } },
  ]);
  for (const init of rows) {
    await using cached = await cachedProxy(({ headers }) =>
      headers.has("if-none-match")
        ? new Response(null, {
          status: 304,
          headers: { "cache-control": "max-age=60", etag: '"a"' },
        })
        : fresh("body", { etag: '"a"' })
    );
    await cached.get();
    assertEquals((await cached.get("/", init)).status, 200);
    const other = await cached.get();
    assertStringIncludes(other.cache, "; hit");
    assertEquals(other.text, "body");
  }
});
