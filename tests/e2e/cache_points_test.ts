/**
 * Points 9 to 11, and the others around a cached response.
 *
 * @module
 */
import type { Handlers, Lookup } from "../../core/plugin.ts";
import { assertEquals } from "../support/assert.ts";
import { cachedProxy, fresh } from "../support/cached_proxy.ts";
import { handlersPlugin } from "../support/inline_plugin.ts";
import { Tracer } from "../support/tracer.ts";

const REQUEST = [
  "transactionStart",
  "readRequestHeader",
  "beforeLocation",
  "foundProduct",
  "afterLocation",
];
const END = (status: number) => [
  `readResponse ${status}`,
  `sendResponseHeader ${status}`,
  `requestFinish ${status}`,
  `transactionClose ${status}`,
];
const ATTEMPT = (status: number) => [
  "forward 1",
  "resolve 1",
  "sendRequestHeader 1",
  `readResponseHeader 1:${status}`,
];

Deno.test("the points of a miss, a hit and a validation", async () => {
  const tracer = new Tracer();
  await using cached = await cachedProxy(
    (_, times) =>
      times === 2
        ? new Response(null, { status: 304 })
        : fresh("x", { etag: '"a"' }),
    { plugins: [tracer.plugin] },
  );
  const run = async (status: number) => {
    tracer.take();
    await cached.get("/", { headers: { connection: "close" } });
    await tracer.seen(`transactionClose ${status}`);
    return tracer.take().filter((event) =>
      !["accept", "finish"].includes(event)
    );
  };
  assertEquals(await run(200), [
    ...REQUEST,
    "cacheLookupComplete",
    ...ATTEMPT(200),
    ...END(200),
  ]);
  const HIT = ["selectAlternate", "readCacheHeader", "cacheLookupComplete"];
  assertEquals(await run(200), [...REQUEST, ...HIT, ...END(200)]);
  cached.pass(60);
  assertEquals(await run(200), [
    ...REQUEST,
    ...HIT,
    ...ATTEMPT(304),
    ...END(200),
  ]);
});

/** What a client gets for a second request with these handlers. */
async function second(handlers: Handlers): Promise<[string, number]> {
  await using cached = await cachedProxy(
    (_, times) => fresh(`${times}`),
    { plugins: [handlersPlugin("it", handlers)] },
  );
  await cached.get("/");
  const { text } = await cached.get("/");
  return [text, cached.asked.length];
}

Deno.test("handlers may veto an alternate, and change a hit", async () => {
  const set =
    (result: Lookup["result"]) => (_: unknown, lookup: Lookup): undefined => {
      if (lookup.result === "hit-fresh") lookup.result = result;
    };
  assertEquals(await second({}), ["1", 1]);
  assertEquals(await second({ selectAlternate: () => 0.5 }), ["1", 1]);
  assertEquals(await second({ selectAlternate: () => 0 }), ["2", 2]);
  assertEquals(await second({ readCacheHeader: set("hit-stale") }), ["2", 2]);
  assertEquals(await second({ readCacheHeader: set("miss") }), ["2", 2]);
  assertEquals(await second({ cacheLookupComplete: set("miss") }), ["2", 2]);
  assertEquals(
    await second({ cacheLookupComplete: set("hit-stale") }),
    ["2", 2],
  );
  // A miss can't be made a hit.
  const [text] = await second({
    cacheLookupComplete: (_, lookup) => {
      lookup.result = "hit-fresh";
    },
  });
  assertEquals(text.slice(0, 3), "500");
});

Deno.test("a stale hit may be called fresh", async () => {
  const handlers: Handlers = {
    readCacheHeader: (_, lookup) => {
      lookup.result = "hit-fresh";
    },
  };
  await using cached = await cachedProxy(
    (_, times) => fresh(`${times}`),
    { plugins: [handlersPlugin("it", handlers)] },
  );
  await cached.get("/");
  cached.pass(100);
  assertEquals((await cached.get("/")).text, "1");
});

Deno.test("handlers see the stored response, and may answer in its place", async () => {
  const seen: unknown[] = [];
  const handlers: Handlers = {
    selectAlternate: (_, { request, response }) => {
      seen.push([
        request.headers.get("accept-language"),
        response.headers.get("x-a"),
      ]);
      return 1;
    },
    readCacheHeader: (_, { alternate }) => {
      seen.push(alternate?.response.status);
    },
  };
  const responding = handlersPlugin("answer", ({ verdict }) => ({
    cacheLookupComplete: ({ path }, { result }) =>
      path === "/answer"
        ? verdict.respond({ status: 200, body: result })
        : undefined,
  }));
  await using cached = await cachedProxy(
    () => fresh("x", { "x-a": "1" }),
    { plugins: [handlersPlugin("see", handlers), responding] },
  );
  const headers = { "accept-language": "de" };
  await cached.get("/", { headers });
  await cached.get("/", { headers });
  assertEquals(seen, [["de", "1"], 200]);
  assertEquals((await cached.get("/answer")).text, "miss");
  assertEquals((await cached.get("/answer")).text, "miss");
  assertEquals(cached.asked, ["GET /"]);
});

Deno.test("stored is what readResponseHeader left; readResponse and transforms work on each client's copy", async () => {
  let served = 0;
  const handlers: Handlers = {
    readResponseHeader: (_, response) => {
      response.headers.set("x-stored", "yes");
    },
    readResponse: (request, response) => {
      response.headers.set("x-copy", `${++served} ${response.from}`);
      request!.transaction.transformResponse(() =>
        new TransformStream({
          flush(controller) {
            controller.enqueue(new TextEncoder().encode(` for ${served}`));
          },
        })
      );
    },
  };
  await using cached = await cachedProxy(
    () => fresh("body"),
    { plugins: [handlersPlugin("it", handlers)] },
  );
  for (const [i, from] of ["backend", "cache", "cache"].entries()) {
    const { headers, text } = await cached.get("/");
    assertEquals(headers.get("x-stored"), "yes");
    assertEquals(headers.get("x-copy"), `${i + 1} ${from}`);
    assertEquals(text, `body for ${i + 1}`);
  }
  assertEquals(cached.asked.length, 1);
});

Deno.test("a WebSocket handshake and what changes things skip the lookup", async () => {
  const results: string[] = [];
  const handlers: Handlers = {
    cacheLookupComplete: ({ method }, { result }) => {
      results.push(`${method} ${result}`);
    },
  };
  await using cached = await cachedProxy(
    () => fresh("x"),
    { plugins: [handlersPlugin("it", handlers)] },
  );
  await cached.get("/", { method: "POST", body: "x" });
  await cached.get("/", { method: "OPTIONS" });
  await cached.get("/", { headers: { "if-match": '"a"' } });
  await cached.get("/");
  assertEquals(results, [
    "POST skipped",
    "OPTIONS skipped",
    "GET skipped",
    "GET miss",
  ]);
});
