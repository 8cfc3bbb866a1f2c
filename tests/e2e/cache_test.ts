/**
 * The cache as clients see it: hits, validation, ranges, what is stale, what
 * becomes invalid.
 *
 * @module
 */
import { SignJWT } from "jose";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { cachedProxy, fresh } from "../support/cached_proxy.ts";
import { eventually } from "../support/eventually.ts";
import { serveHttpBackend } from "../support/http_backend.ts";
import { HttpClient } from "../support/http_client.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { startPlane } from "../support/plane.ts";
import { startProxyWith } from "../support/proxy_with.ts";

Deno.test("a second request is answered from the cache, with its age", async () => {
  await using cached = await cachedProxy((_, times) =>
    fresh(`body ${times}`, { etag: '"a"', "x-a": "1" })
  );
  const first = await cached.get("/x");
  assertEquals([first.text, first.headers.get("age")], ["body 1", null]);
  assertStringIncludes(first.cache, "Headrace; fwd=uri-miss");
  assertStringIncludes(first.cache, "; stored");
  cached.pass(7);
  const second = await cached.get("/x");
  assertEquals(second.text, "body 1");
  assertEquals(second.headers.get("x-a"), "1");
  assert(["7", "8"].includes(second.headers.get("age")!));
  assertStringIncludes(second.cache, "Headrace; hit; ttl=5");
  const head = await cached.get("/x", { method: "HEAD" });
  assertEquals([head.text, head.headers.get("content-length")], ["", "6"]);
  const other = await cached.get("/x?y");
  assertEquals(other.text, "body 2");
  assertEquals(cached.asked, ["GET /x", "GET /x?y"]);
});

Deno.test("a client that has it gets 304, one that wants a part gets that", async () => {
  await using cached = await cachedProxy(() =>
    fresh("0123456789", { etag: '"a"', "content-type": "text/x" })
  );
  await cached.get("/");
  const ask = (headers: Record<string, string>) => cached.get("/", { headers });
  const same = await ask({ "if-none-match": 'W/"b", W/"a"' });
  assertEquals([same.status, same.text], [304, ""]);
  assertEquals(same.headers.get("etag"), '"a"');
  assertEquals(same.headers.get("content-type"), null);
  assertEquals((await ask({ "if-none-match": '"b"' })).status, 200);
  const part = await ask({ range: "bytes=2-4" });
  assertEquals([part.status, part.text], [206, "234"]);
  assertEquals(part.headers.get("content-range"), "bytes 2-4/10");
  assertEquals((await ask({ range: "bytes=-2" })).text, "89");
  assertEquals((await ask({ range: "bytes=8-" })).text, "89");
  assertEquals(
    (await ask({ range: "bytes=8-99", "if-range": '"a"' })).text,
    "89",
  );
  assertEquals(
    (await ask({ range: "bytes=8-", "if-range": '"b"' })).status,
    200,
  );
  assertEquals((await ask({ range: "bytes=0-1,4-5" })).status, 200);
  const beyond = await ask({ range: "bytes=10-" });
  assertEquals(beyond.status, 416);
  assertEquals(beyond.headers.get("content-range"), "bytes */10");
  assertEquals(cached.asked.length, 1);
});

Deno.test("what is stale is validated; a 304 freshens it, a 200 takes its place", async () => {
  const validators: (string | null)[] = [];
  await using cached = await cachedProxy(({ headers }, times) => {
    validators.push(headers.get("if-none-match"));
    if (times === 2) {
      return new Response(null, {
        status: 304,
        headers: { "cache-control": "max-age=60", "x-a": "2" },
      });
    }
    return fresh(`body ${times}`, { etag: `"${times}"`, "x-a": "1" });
  });
  await cached.get("/");
  cached.pass(60);
  const freshened = await cached.get("/");
  assertEquals([freshened.text, freshened.headers.get("x-a")], ["body 1", "2"]);
  assertStringIncludes(freshened.cache, "fwd=stale; fwd-status=304");
  assertStringIncludes((await cached.get("/")).cache, "hit");
  cached.pass(60);
  // The client's own condition must not get in the way.
  const headers = { "if-none-match": '"1"' };
  const replaced = await cached.get("/", { headers });
  assertEquals([replaced.status, replaced.text], [200, "body 3"]);
  assertEquals((await cached.get("/")).text, "body 3");
  assertEquals(validators, [null, '"1"', '"1"']);
});

Deno.test("a HEAD that passes freshens what is stored, or removes it", async () => {
  await using cached = await cachedProxy((_, times) =>
    fresh("12345", {
      etag: times < 3 ? '"a"' : '"b"',
      "x-a": String(times),
    })
  );
  await cached.get("/");
  cached.pass(60);
  await cached.get("/", { method: "HEAD" });
  const freshened = await cached.get("/");
  assertEquals([freshened.text, freshened.headers.get("x-a")], ["12345", "2"]);
  cached.pass(60);
  await cached.get("/", { method: "HEAD" });
  await cached.get("/");
  assertEquals(cached.asked, ["GET /", "HEAD /", "HEAD /", "GET /"]);
});

Deno.test("stale-while-revalidate serves at once and fetches behind the client's back", async () => {
  await using cached = await cachedProxy((_, times) =>
    new Response(`body ${times}`, {
      headers: { "cache-control": "max-age=10, stale-while-revalidate=20" },
    })
  );
  await cached.get("/");
  cached.pass(15);
  const stale = await cached.get("/");
  assertEquals(stale.text, "body 1");
  assertStringIncludes(stale.cache, "hit; ttl=-");
  await eventually(
    "the fresh one",
    async () => (await cached.get("/")).text === "body 2",
  );
  assertEquals(cached.asked.length, 2);
  cached.pass(30);
  assertEquals((await cached.get("/")).text, "body 3");
});

Deno.test("what is fetched behind a client's back comes in as the client did, whatever handlers made of its fields", async () => {
  const control = "public, max-age=10, stale-while-revalidate=20";
  await using cached = await cachedProxy(
    ({ headers }, times) =>
      new Response(
        `${times}: ${headers.get("x-user")} ${headers.get("x-hop")}`,
        { headers: { "cache-control": control, vary: "x-hop" } },
      ),
    {
      plugins: [
        {
          use: "builtin:auth-basic",
          options: {
            userHeader: "X-User",
            users: ["alice:$apr1$lZL6V/ci$sQw6g73nRuoOIj/gnD18Z."],
          },
        },
        {
          use: "builtin:headers",
          options: { request: { add: { "X-Hop": "1" } } },
        },
      ],
    },
  );
  const headers = {
    authorization: `Basic ${btoa("alice:myPassword")}`,
    "x-headrace-explain": "1",
  };
  await cached.get("/", { headers });
  cached.pass(15);
  assertEquals((await cached.get("/", { headers })).text, "1: alice 1");
  await eventually(
    "the fresh one",
    async () => (await cached.get("/", { headers })).text === "2: alice 1",
  );
});

Deno.test("a stored response stands in for a failure only where it may", async () => {
  const rows: [
    control: string,
    seconds: number,
    failure: number,
    status: number,
  ][] = [
    ["max-age=10, stale-if-error=20", 15, 503, 200],
    ["max-age=10, stale-if-error=20", 30, 503, 503],
    ["max-age=10", 15, 503, 503],
    ["max-age=10", 15, 0, 200],
    ["max-age=10, must-revalidate", 15, 0, 502],
    ["max-age=10, stale-if-error=20", 15, 404, 404],
  ];
  for (const [control, seconds, failure, status] of rows) {
    await using cached = await cachedProxy((_, times) => {
      if (times === 1) {
        return new Response("good", { headers: { "cache-control": control } });
      }
      if (failure > 0) return new Response("bad", { status: failure });
      return new Response(
        new ReadableStream({ start: (c) => c.error(new Error("broken")) }),
      );
    }, { cluster: { retries: { max: 0 } } });
    await cached.get("/");
    cached.pass(seconds);
    if (failure === 0) await cached.backend[Symbol.asyncDispose]();
    const got = await cached.get("/");
    assertEquals(got.status, status, `${control} ${seconds} ${failure}`);
    if (status === 200) assertStringIncludes(got.cache, "stale-if-error");
  }
});

Deno.test("what a request changes is forgotten, whatever its method", async () => {
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"]) {
    await using cached = await cachedProxy((request) => {
      if (request.method === "GET") return fresh("x");
      return new URL(request.url).pathname === "/bad"
        ? new Response(null, { status: 500 })
        : new Response(null, {
          headers: { location: "/b", "content-location": "http://127.0.0.1/c" },
        });
    });
    const paths = ["/a", "/b", "/c", "/bad"];
    for (const path of paths) await cached.get(path);
    await cached.get("/a", { method });
    await cached.get("/bad", { method });
    cached.asked.length = 0;
    for (const path of paths) await cached.get(path);
    // Another port is another origin.
    assertEquals(cached.asked, ["GET /a", "GET /b"], method);
  }
});

Deno.test("PURGE takes URLs, prefixes and tags from those who may", async () => {
  await using cached = await cachedProxy(
    () =>
      fresh("x", { "cache-tag": "one, two", "surrogate-key": "three four" }),
    { cache: { purgeFrom: ["127.0.0.0/8"] } },
  );
  const purge = async (path: string, headers: Record<string, string> = {}) => {
    for (const each of ["/a", "/a/b", "/c"]) await cached.get(each);
    cached.asked.length = 0;
    const { status } = await cached.get(path, { method: "PURGE", headers });
    for (const each of ["/a", "/a/b", "/c"]) await cached.get(each);
    return [status, ...cached.asked];
  };
  assertEquals(await purge("/a"), [200, "GET /a"]);
  assertEquals(await purge("/d"), [404]);
  assertEquals(await purge("/a*"), [200, "GET /a", "GET /a/b"]);
  const all = [200, "GET /a", "GET /a/b", "GET /c"];
  assertEquals(await purge("/", { "cache-tag": "two" }), all);
  assertEquals(await purge("/", { "surrogate-key": "none three" }), all);
  assertEquals(await purge("/", { "surrogate-key": "none" }), [404]);
});

Deno.test("what a backend answers to a Host in an odd spelling is for that spelling alone, and purged with the others", async () => {
  await using cached = await cachedProxy(
    ({ headers }) => fresh(headers.get("x-forwarded-host")),
    { cache: { purgeFrom: ["127.0.0.0/8"] } },
  );
  using client = await HttpClient.connect(cached.proxy.port());
  const spellings = ["H.x", "h.x.", "h.x:80", "h.x"];
  const ask = async () => {
    for (const sent of spellings) {
      assertEquals((await client.get("/a", sent)).text, sent);
    }
  };
  await ask();
  await ask();
  assertEquals(cached.asked.length, spellings.length);
  for (const path of ["/a", "/*"]) {
    await client.send(`PURGE ${path} HTTP/1.1\r\nHost: h.x\r\n\r\n`);
    assertEquals((await client.response()).text, "4 purged\n");
    await ask();
  }
  assertEquals(cached.asked.length, 3 * spellings.length);
});

Deno.test("what a backend answers to the host that a trusted proxy tells is for that host alone", async () => {
  await using cached = await cachedProxy(
    ({ headers }) =>
      fresh(headers.get("x-forwarded-host") ?? headers.get("forwarded")),
    {
      listener: { trusted: ["127.0.0.1/32"] },
      cache: { purgeFrom: ["127.0.0.0/8", "192.0.2.0/24"] },
    },
  );
  const own = new URL(cached.proxy.url("/")).host;
  const rows: [headers: Record<string, string>, told: string][] = [
    [{ "x-forwarded-host": "a.test" }, "a.test"],
    [{ "x-forwarded-host": "b.test" }, "b.test"],
    [{ "x-forwarded-host": own }, own],
    [{ forwarded: 'for=192.0.2.1;host="c.test"' }, "c.test"],
    [{
      "x-forwarded-for": "192.0.2.1",
      "x-forwarded-host": own,
      forwarded: 'for=192.0.2.1;host="d.test"',
    }, own],
  ];
  for (let round = 0; round < 2; round++) {
    for (const [headers, told] of rows) {
      assertEquals((await cached.get("/a", { headers })).text, told);
    }
  }
  assertEquals(cached.asked.length, rows.length);
  // The proxy's own host says nothing new.
  assertStringIncludes((await cached.get("/a")).cache, "; hit");
  const purged = await cached.get("/a", { method: "PURGE" });
  assertEquals(purged.text, `${rows.length} purged\n`);
});

Deno.test("others' PURGE is refused; without purgeFrom it is a method like any other", async () => {
  const cache = { purgeFrom: ["10.0.0.0/8"] };
  await using cached = await cachedProxy(() => fresh("x"), { cache });
  await cached.get("/");
  assertEquals((await cached.get("/", { method: "PURGE" })).status, 403);
  await cached.get("/");
  assertEquals(cached.asked, ["GET /"]);
  await using open = await cachedProxy(() => fresh("x"));
  await open.get("/", { method: "PURGE" });
  assertEquals(open.asked, ["PURGE /"]);
});

Deno.test("a purge that fails is told to who asked for it; whoever changed something gets his answer", async () => {
  await using backend = serveHttpBackend((request) => {
    return request.method === "POST" ? new Response("done") : fresh("x");
  });
  await using t = await startPlane({
    backends: [backend.url],
    cache: { purgeFrom: ["127.0.0.1/32"] },
  });
  const { cache } = t.plane.current.cache!;
  cache.purge = () => Promise.reject(new Error("The disk is gone"));
  const send = async (method: string) => {
    const response = await fetch(`http://127.0.0.1:${t.port}/`, { method });
    return [response.status, await response.text()];
  };
  await send("GET");
  assertEquals((await send("PURGE"))[0], 500);
  assertEquals(await send("POST"), [200, "done"]);
});

Deno.test("variants are kept apart by what Vary names", async () => {
  await using cached = await cachedProxy(({ headers }) =>
    fresh(`for ${headers.get("x-v")}`, { vary: "X-V" })
  );
  const get = async (v: string) =>
    (await cached.get("/", { headers: { "x-v": v } })).text;
  for (const v of ["1", "2", "1", "2", "3"]) {
    assertEquals(await get(v), `for ${v}`);
  }
  assertEquals(cached.asked.length, 3);
});

Deno.test("what a backend takes for a field that Vary names is for nobody else", async () => {
  // As WSGI and CGI have fields: the last of both spellings counts.
  await using cached = await cachedProxy(({ headers }) =>
    fresh(headers.get("accept_language") ?? headers.get("accept-language"), {
      vary: "Accept-Language",
    })
  );
  const get = (headers: Record<string, string>) =>
    cached.get("/", { headers: { "accept-language": "en", ...headers } });
  assertEquals((await get({ "accept_language": "xx" })).text, "xx");
  assertEquals((await get({})).text, "en");
  assertEquals((await get({ "accept.language": "xx" })).text, "en");
  assertStringIncludes((await get({})).cache, "; hit");
});

Deno.test("what is for one client is not stored", async () => {
  const rows: [Record<string, string>, Record<string, string>][] = [
    [{ "cache-control": "private, max-age=60" }, {}],
    [{ "cache-control": "no-store" }, {}],
    [{ "cache-control": "max-age=60" }, { authorization: "Basic x" }],
    [{ "cache-control": "max-age=60", vary: "*" }, {}],
    // What only backends see of the client.
    [{ "cache-control": "max-age=60", vary: "Accept, X-Forwarded-For" }, {}],
    [{ "cache-control": "max-age=60", vary: "forwarded" }, {}],
    [{ "cache-control": "max-age=60", vary: "x-client-cert-subject" }, {}],
    [{ "cache-control": "max-age=60" }, { "cache-control": "no-store" }],
    [{ "last-modified": new Date(0).toUTCString(), "set-cookie": "a=b" }, {}],
  ];
  for (const [response, request] of rows) {
    await using cached = await cachedProxy(() =>
      new Response("x", { headers: response })
    );
    await cached.get("/", { headers: request });
    await cached.get("/");
    assertEquals(cached.asked.length, 2, JSON.stringify([response, request]));
  }
});

Deno.test("what varies by what the key has is stored", async () => {
  for (const vary of ["x-forwarded-proto", "X-Forwarded-Host", "host"]) {
    await using cached = await cachedProxy(() => fresh("x", { vary }));
    await cached.get("/");
    await cached.get("/");
    assertEquals(cached.asked.length, 1, vary);
  }
});

Deno.test("a page for one user is not stored where a plugin took the password away", async () => {
  const credentials = (user: string) => ({
    authorization: `Basic ${btoa(`${user}:myPassword`)}`,
  });
  await using cached = await cachedProxy(
    ({ url, headers }) =>
      fresh(
        `for ${headers.get("x-user")}`,
        url.endsWith("/all") ? { "cache-control": "public, max-age=60" } : {},
      ),
    {
      plugins: [{
        use: "builtin:auth-basic",
        options: {
          userHeader: "X-User",
          users: ["alice", "bob"].map((user) =>
            `${user}:$apr1$lZL6V/ci$sQw6g73nRuoOIj/gnD18Z.`
          ),
        },
      }],
    },
  );
  const get = async (user: string, path: string) =>
    (await cached.get(path, { headers: credentials(user) })).text;
  for (const user of ["alice", "bob", "alice"]) {
    assertEquals(await get(user, "/me"), `for ${user}`);
    // The backend says that everybody may have this one.
    assertEquals(await get(user, "/all"), "for alice");
  }
});

Deno.test("a page for one user is not stored where a plugin made the password of a cookie", async () => {
  await using cached = await cachedProxy(
    ({ headers }) => fresh(`for ${headers.get("x-user")}`),
    {
      plugins: [
        handlersPlugin("login", {
          readRequestHeader(request) {
            const basic = `Basic ${btoa(`${request.cookie("u")}:myPassword`)}`;
            request.headers.set("authorization", basic);
          },
        }),
        {
          use: "builtin:auth-basic",
          options: {
            userHeader: "X-User",
            users: ["alice", "bob"].map((user) =>
              `${user}:$apr1$lZL6V/ci$sQw6g73nRuoOIj/gnD18Z.`
            ),
          },
        },
      ],
    },
  );
  for (const user of ["alice", "bob"]) {
    const got = await cached.get("/", { headers: { cookie: `u=${user}` } });
    assertEquals(got.text, `for ${user}`);
  }
});

/** What a proxy with a plugin before its cache answers two users with these cookies, one after the other. */
async function pagesOf(
  plugin: object,
  cookies: readonly [string, string],
): Promise<string[]> {
  await using backend = serveHttpBackend(({ headers, url }) =>
    fresh(
      `for ${headers.get("x-user")}`,
      url.endsWith("/all") ? { "cache-control": "public, max-age=60" } : {},
    )
  );
  await using service = serveHttpBackend(({ headers }) =>
    new Response(null, { headers: { "x-user": headers.get("cookie")! } })
  );
  await using proxy = await startProxyWith({
    backends: [backend.url],
    cache: {},
    products: [
      { name: "auth", hosts: ["auth.internal"], rules: [{ cluster: "auth" }] },
      { name: "site", default: true, rules: [{ cluster: "main" }] },
    ],
    clusters: [{ name: "auth", backends: [{ url: service.url }] }],
    plugins: [{ ...plugin, products: ["site"] }],
  });
  const pages: string[] = [];
  for (const path of ["/me", "/all"]) {
    for (const cookie of cookies) {
      const response = await fetch(proxy.url(path), { headers: { cookie } });
      pages.push(await response.text());
    }
  }
  return pages;
}

Deno.test("a page for one user is not stored where a plugin let him in by a cookie", async () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const token = async (sub: string) =>
    `t=${await new SignJWT({ sub })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1m")
      .sign(new TextEncoder().encode(secret))}`;
  const pages = ["for a", "for b", "for a", "for a"];
  assertEquals(
    await pagesOf({
      use: "builtin:auth-jwt",
      options: {
        keys: { secret },
        algorithms: ["HS256"],
        from: { cookie: "t" },
        claimHeaders: { sub: "X-User" },
      },
    }, [await token("a"), await token("b")]),
    pages,
  );
  assertEquals(
    await pagesOf({
      use: "builtin:auth-request",
      options: {
        url: "http://auth.internal/",
        userHeaders: ["X-User"],
        cache: { key: "%{header:cookie}", time: "10s" },
      },
    }, ["a", "b"]),
    pages,
  );
});

Deno.test("the cookie that binds a client to its backend is for that client", async () => {
  await using cached = await cachedProxy(
    () => fresh("x", { "set-cookie": "theirs=1" }),
    { cluster: { sticky: { cookie: "HR" } } },
  );
  const first = (await cached.get("/")).headers.getSetCookie();
  assertEquals(first.length, 2);
  assert(first.some((cookie) => cookie.startsWith("HR=")));
  assertEquals((await cached.get("/")).headers.getSetCookie(), ["theirs=1"]);
});

Deno.test("only-if-cached asks no backend", async () => {
  await using cached = await cachedProxy(() => fresh("x"));
  const headers = { "cache-control": "only-if-cached" };
  assertEquals((await cached.get("/", { headers })).status, 504);
  await cached.get("/");
  assertEquals((await cached.get("/", { headers })).status, 200);
  assertEquals(cached.asked, ["GET /"]);
});

Deno.test("rules give lifetimes, keys and exceptions", async () => {
  await using cached = await cachedProxy(
    (request, times) => {
      const { pathname } = new URL(request.url);
      return new Response(`${times}`, {
        status: pathname === "/404" ? 404 : 200,
      });
    },
    {
      cache: {
        rules: [
          { when: 'req_path_in("/never", false)', bypass: true },
          { when: 'req_path_in("/twice", false)', ttl: "10s", minUses: 2 },
          {
            when: 'req_path_in("/key", false)',
            ttl: "10s",
            key: "query:page header:X-D cookie:c",
          },
          { ttl: "10s", negative: "5s" },
        ],
      },
    },
  );
  const text = async (path: string, headers: Record<string, string> = {}) =>
    (await cached.get(path, { headers })).text;
  assertEquals([await text("/never"), await text("/never")], ["1", "2"]);
  assertEquals(
    [await text("/twice"), await text("/twice"), await text("/twice")],
    ["3", "4", "4"],
  );
  assertEquals(await text("/key?page=1&x=1"), "5");
  assertEquals(await text("/key?x=2&page=1"), "5");
  assertEquals(await text("/key?page=2"), "6");
  assertEquals(await text("/key?page=2", { "x-d": "m" }), "7");
  assertEquals(await text("/key?page=2", { cookie: "c=1; d=2" }), "8");
  assertEquals(await text("/key?page=2", { cookie: "d=3; c=1" }), "8");
  assertEquals([await text("/a"), await text("/a")], ["9", "9"]);
  cached.pass(6);
  assertEquals([await text("/404"), await text("/404")], ["10", "10"]);
  assertEquals(await text("/a"), "9");
  cached.pass(5);
  assertEquals([await text("/404"), await text("/a")], ["11", "12"]);
});

Deno.test("parts are stored, served and put together", async () => {
  const whole = "0123456789";
  const ranges: (string | null)[] = [];
  await using cached = await cachedProxy(({ headers }) => {
    const range = headers.get("range");
    ranges.push(range);
    const [, from = "", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ??
      [];
    if (from === "") return fresh(whole, { etag: '"a"' });
    const last = to === "" ? 9 : Number(to);
    return new Response(whole.slice(Number(from), last + 1), {
      status: 206,
      headers: {
        "cache-control": "max-age=60",
        etag: '"a"',
        "content-range": `bytes ${from}-${last}/10`,
      },
    });
  });
  const part = async (range: string) => {
    const { status, text } = await cached.get("/", { headers: { range } });
    return [status, text];
  };
  assertEquals(await part("bytes=0-3"), [206, "0123"]);
  assertEquals(await part("bytes=1-2"), [206, "12"]);
  assertEquals(await part("bytes=3-5"), [206, "345"]);
  assertEquals(await part("bytes=0-5"), [206, "012345"]);
  assertEquals(ranges, ["bytes=0-3", "bytes=3-5"]);
  const all = await cached.get("/");
  assertEquals([all.status, all.text], [200, whole]);
  assertEquals(all.headers.get("content-range"), null);
  assertEquals(ranges.at(-1), "bytes=6-");
  assertEquals((await cached.get("/")).text, whole);
  assertEquals(await part("bytes=8-"), [206, "89"]);
  assertEquals(ranges.length, 3);
});

Deno.test("a part is not completed with one of another representation", async () => {
  await using cached = await cachedProxy(({ headers }, times) => {
    const range = headers.get("range");
    if (range === "bytes=0-3") {
      return new Response("0123", {
        status: 206,
        headers: {
          "cache-control": "max-age=60",
          etag: '"a"',
          "content-range": "bytes 0-3/10",
        },
      });
    }
    assertEquals([range, headers.get("if-range")], ["bytes=4-", '"a"']);
    return times === 2
      // It does not know If-Range.
      ? new Response("456789", {
        status: 206,
        headers: { etag: '"b"', "content-range": "bytes 4-9/10" },
      })
      : fresh("new", { etag: '"b"' });
  });
  await cached.get("/", { headers: { range: "bytes=0-3" } });
  assertEquals((await cached.get("/")).status, 502);
});
