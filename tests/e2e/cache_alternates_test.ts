/**
 * Several stored responses to one URL: a backend is asked which of them it
 * would send, and a 304 tells (RFC 9111 §4.1, §4.3.4).
 *
 * @module
 */
import { assertEquals, assertMatch } from "../support/assert.ts";
import { type CachedProxy, cachedProxy } from "../support/cached_proxy.ts";
import { bytesOf } from "../support/byte_streams.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import type { ProxyWith } from "../support/proxy_with.ts";

/** A request as the backend saw it. */
interface Seen {
  readonly foo: string | null;
  readonly tags: string | null;
}

/** What the backend has, by its tag. */
type Sent = Readonly<Record<string, string>>;

/**
 * A backend whose response to `Foo: VALUE` has the tag that `tagOf` says: 304
 * where it is asked about it, unless `answer` says something else.
 */
async function alternates(
  tagOf: (foo: string) => string,
  {
    answer,
    headers = {},
    parts = {},
  }: {
    readonly answer?: (seen: Seen) => Response | undefined;
    readonly headers?: Sent;
    readonly parts?: Omit<ProxyWith, "backends">;
  } = {},
): Promise<CachedProxy & { readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const proxy = await cachedProxy((request) => {
    const one = {
      foo: request.headers.get("foo"),
      tags: request.headers.get("if-none-match"),
    };
    seen.push(one);
    const tag = tagOf(one.foo ?? "");
    const fields = {
      "cache-control": "max-age=60",
      vary: "Foo",
      etag: tag,
      "x-count": String(seen.length),
      ...headers,
    };
    return answer?.(one) ??
      (one.tags?.split(", ").includes(tag)
        ? new Response(null, { status: 304, headers: fields })
        : new Response(`body of ${tag}`, { headers: fields }));
  }, parts);
  return Object.assign(proxy, { seen });
}

const foo = (value: string, more: Sent = {}) => ({
  headers: { foo: value, ...more },
});

Deno.test("a backend is asked about the tags of all alternates, and its 304 chooses", async () => {
  await using t = await alternates((foo) => foo === "3" ? '"1"' : `"${foo}"`);
  await t.get("/", foo("1"));
  await t.get("/", foo("2"));
  t.pass(40);
  const third = await t.get("/", foo("3"));
  assertEquals([third.status, third.text], [200, 'body of "1"']);
  assertEquals(third.headers.get("x-count"), "3");
  assertMatch(third.cache, /fwd=vary-miss; fwd-status=304;.* stored/);
  assertEquals(t.seen, [
    { foo: "1", tags: null },
    { foo: "2", tags: '"1"' },
    { foo: "3", tags: '"2", "1"' },
  ]);
  // It is stored for its own requests, and what it was chosen from is fresh again.
  t.pass(40);
  for (const value of ["3", "1"]) {
    const hit = await t.get("/", foo(value));
    assertEquals([hit.text, hit.headers.get("x-count")], ['body of "1"', "3"]);
    assertMatch(hit.cache, /hit/);
  }
  assertEquals(t.seen.length, 3);
});

Deno.test("an alternate that is chosen is stored whole, whatever its size", async () => {
  const body = "x".repeat(300_000);
  await using t = await alternates(() => '"1"', {
    answer: ({ tags }) =>
      tags === null
        ? new Response(body, {
          headers: { "cache-control": "max-age=60", vary: "Foo", etag: '"1"' },
        })
        : undefined,
  });
  for (const value of ["1", "2", "2", "1"]) {
    assertEquals((await t.get("/", foo(value))).text, body);
  }
  assertEquals(t.seen.length, 2);
});

Deno.test("a 304 that names nothing stored is asked again without conditions", async () => {
  const rows: readonly Sent[] = [{ etag: '"9"' }, { etag: 'W/"1"' }, {}];
  for (const headers of rows) {
    await using t = await alternates((foo) => `"${foo}"`, {
      answer: ({ tags }) =>
        tags === null
          ? undefined
          : new Response(null, { status: 304, headers }),
    });
    await t.get("/", foo("1"));
    const second = await t.get("/", foo("2"));
    assertEquals([second.status, second.text], [200, 'body of "2"']);
    assertEquals(t.seen.map(({ tags }) => tags), [null, '"1"', null]);
    assertMatch((await t.get("/", foo("2"))).cache, /hit/);
    assertMatch((await t.get("/", foo("1"))).cache, /hit/);
  }
});

Deno.test("what an attempt's handlers registered for such a 304 is not for the next answer", async () => {
  const attempts: number[] = [];
  const marking = handlersPlugin("marking", {
    readResponseHeader: (request, _response, attempt) => {
      attempts.push(attempt.number);
      request.transaction.transformResponse(() =>
        new TransformStream({
          flush: (controller) => controller.enqueue(bytesOf("!")),
        })
      );
    },
  });
  await using t = await alternates((foo) => `"${foo}"`, {
    answer: ({ tags }) =>
      tags === null ? undefined : new Response(null, { status: 304 }),
    parts: { plugins: [marking] },
  });
  assertEquals((await t.get("/", foo("1"))).text, 'body of "1"!');
  assertEquals((await t.get("/", foo("2"))).text, 'body of "2"!');
  assertEquals(attempts, [1, 1, 2]);
});

Deno.test("a 304 that names another tag than the one asked about validates nothing", async () => {
  let tag = '"1"';
  await using t = await alternates(() => tag, {
    answer: ({ tags }) =>
      tags === '"1"'
        ? new Response(null, { status: 304, headers: { etag: '"2"' } })
        : undefined,
  });
  await t.get("/", foo("1"));
  tag = '"2"';
  t.pass(61);
  const second = await t.get("/", foo("1"));
  assertEquals([second.status, second.text], [200, 'body of "2"']);
  assertEquals(t.seen.map(({ tags }) => tags), [null, '"1"', null]);
  assertMatch((await t.get("/", foo("1"))).cache, /hit/);
});

Deno.test("a 304 may call a weak tag strong: it was asked about one response only", async () => {
  await using t = await alternates(() => 'W/"1"', {
    answer: ({ tags }) =>
      tags === null
        ? undefined
        : new Response(null, { status: 304, headers: { etag: '"1"' } }),
  });
  await t.get("/", foo("1"));
  t.pass(61);
  assertEquals((await t.get("/", foo("1"))).text, 'body of W/"1"');
  assertEquals(t.seen.length, 2);
});

Deno.test("weak tags, codings that are not taken and clients' own conditions are not asked about", async () => {
  const cases: readonly (readonly [string, Sent, Sent, string | null])[] = [
    ['W/"1"', {}, {}, null],
    ['"1"', { "content-encoding": "br" }, {}, null],
    ['"1"', { "content-encoding": "br" }, { "accept-encoding": "br" }, '"1"'],
    [
      '"1"',
      { "content-encoding": "br" },
      { "accept-encoding": "*, br;q=0" },
      null,
    ],
    ['"1"', {}, { "if-none-match": '"7"' }, '"7"'],
    ['"1"', {}, { range: "bytes=0-1" }, null],
  ];
  for (const [tag, headers, asking, expected] of cases) {
    await using t = await alternates(
      (foo) => foo === "1" ? tag : '"2"',
      { headers },
    );
    // The coding is in name only: nobody decodes it here.
    const get = async (init: ReturnType<typeof foo>) => {
      const response = await fetch(t.proxy.url("/"), init);
      await response.body?.cancel();
    };
    await get(foo("1", { "accept-encoding": "br" }));
    await get(foo("2", { "accept-encoding": "identity", ...asking }));
    assertEquals(t.seen[1]?.tags, expected, JSON.stringify([tag, asking]));
  }
});

Deno.test("two who ask at once wait for one choice", async () => {
  const gate = Promise.withResolvers<void>();
  const asked: (string | null)[] = [];
  await using t = await cachedProxy(async (request) => {
    const tags = request.headers.get("if-none-match");
    asked.push(tags);
    const headers = { "cache-control": "max-age=60", vary: "Foo", etag: '"1"' };
    if (tags === null) return new Response("body", { headers });
    await gate.promise;
    return new Response(null, { status: 304, headers });
  });
  await t.get("/", foo("1"));
  const both = [t.get("/", foo("2")), t.get("/", foo("2"))];
  setTimeout(() => gate.resolve(), 20);
  assertEquals((await Promise.all(both)).map(({ text }) => text), [
    "body",
    "body",
  ]);
  assertEquals(asked, [null, '"1"']);
});
