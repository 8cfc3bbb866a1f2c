/**
 * What handlers change of requests and responses, and who sees it.
 *
 * @module
 */
import type { HttpRequest, HttpResponse } from "../../../core/plugin.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { getWith } from "../../support/get_with.ts";
import { HttpClient } from "../../support/http_client.ts";
import { handlersPlugin } from "../../support/inline_plugin.ts";
import { serveNamed } from "../../support/named_backend.ts";
import { startProxyWith } from "../../support/proxy_with.ts";

const EARLY = [
  "readRequestHeader",
  "beforeLocation",
  "foundProduct",
  "afterLocation",
] as const;
const LATE = ["forward", "resolve", "sendRequestHeader"] as const;

for (const point of [...EARLY, ...LATE]) {
  Deno.test(`edits of the request at ${point} reach the backend`, async () => {
    await using backend = serveNamed("a");
    await getWith({
      [point]: (request: HttpRequest) => {
        request.method = "DELETE";
        request.path = "/changed";
        request.query = "b=2";
        request.headers.set("x-set", "1");
        request.headers.append("x-append", "2");
        request.headers.delete("x-gone");
      },
    }, { path: "/original?a=1", backends: [backend.url] });
    const { method, target, headers } = backend.asked[0]!;
    assertEquals([method, target], ["DELETE", "/changed?b=2"]);
    assertEquals([headers.get("x-set"), headers.get("x-append")], ["1", "2"]);
  });
}

Deno.test("a field that a handler deletes does not reach the backend, one that it sets replaces all", async () => {
  await using backend = serveNamed("a");
  await using proxy = await startProxyWith({
    backends: [backend.url],
    plugins: [handlersPlugin("edits", {
      foundProduct: ({ headers }) => {
        headers.delete("X-Secret");
        headers.set("x-list", "one");
      },
    })],
  });
  using client = await HttpClient.connect(proxy.port());
  await client.send(
    "GET / HTTP/1.1\r\nHost: x\r\nx-secret: s\r\nX-List: a\r\nx-list: b\r\n\r\n",
  );
  await client.response();
  const { headers } = backend.asked[0]!;
  assertEquals([headers.get("x-secret"), headers.get("x-list")], [null, "one"]);
});

Deno.test("a host that a handler sets before the location finds another product", async () => {
  const rule = (body: string) => [{ respond: { status: 200, body } }];
  const response = await getWith({
    beforeLocation: (request) => {
      request.headers.set("host", "two.example:81");
      assertEquals([request.host, request.port], ["two.example", 81]);
    },
  }, {
    products: [
      { name: "one", default: true, rules: rule("one") },
      { name: "two", hosts: ["two.example"], rules: rule("two") },
    ],
  });
  assertEquals(response.text, "two");
});

for (
  const point of [
    "readResponseHeader",
    "readResponse",
    "sendResponseHeader",
  ] as const
) {
  Deno.test(`edits of the response at ${point} reach the client`, async () => {
    await using backend = serveNamed("a");
    const edit = (_: unknown, response: HttpResponse): undefined => {
      assertEquals([response.status, response.reason], [200, "Fine"]);
      assertEquals([response.from, response.length], ["backend", 1]);
      response.status = 404;
      assertEquals(response.reason, "Not Found");
      response.headers.set("x-set", "1");
      response.headers.append("set-cookie", "a=1");
      response.headers.append("set-cookie", "b=2");
      response.headers.delete("x-backend");
    };
    const { status, headers, text } = await getWith({ [point]: edit }, {
      backends: [backend.url],
    });
    assertEquals([status, text], [404, "a"]);
    assertEquals([headers.get("x-set"), headers.get("x-backend")], ["1", null]);
    assertEquals(headers.getSetCookie(), ["a=1", "b=2"]);
  });
}

Deno.test("a status that changes the framing is refused", async () => {
  await using backend = serveNamed("a");
  const response = await getWith({
    readResponse: (_request, response) => {
      for (const status of [100, 101, 204, 304, 600, 200.5]) {
        assertThrows(() => response.status = status, RangeError);
      }
    },
  }, { backends: [backend.url] });
  assertEquals([response.status, response.text], [200, "a"]);
});

Deno.test("fields that frame a message can be read, not changed", async () => {
  await using backend = serveNamed("a");
  let read: string | null = null;
  const response = await getWith({
    foundProduct: ({ headers }) => void refuse(headers),
    forward: ({ headers }) => void refuse(headers),
    readResponse: (_request, { headers }) => {
      read = headers.get("content-length");
      refuse(headers);
    },
  }, { backends: [backend.url] });
  assertEquals([response.status, read], [200, "1"]);

  function refuse(headers: HttpRequest["headers"]): void {
    for (
      const name of [
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "keep-alive",
        "upgrade",
        "trailer",
        "te",
      ]
    ) {
      assertThrows(() => headers.set(name, "1"), TypeError);
      assertThrows(() => headers.append(name, "1"), TypeError);
      assertThrows(() => headers.delete(name), TypeError);
    }
  }
});

Deno.test("request edits that can't be sent are refused", async () => {
  await using backend = serveNamed("a");
  const response = await getWith({
    foundProduct: (request) => {
      assertThrows(() => request.method = "GET /x", TypeError);
      assertThrows(() => request.path = "no-slash", TypeError);
      assertThrows(() => request.path = "/a b", TypeError);
      assertThrows(() => request.path = "/a?b", TypeError);
      assertThrows(() => request.query = "a#b", TypeError);
      assertThrows(() => request.target = "/\r\nx: y", TypeError);
      assertThrows(() => request.headers.set("a b", "x"), TypeError);
      assertThrows(() => request.headers.set("a", "x\r\ny: z"), TypeError);
    },
  }, { path: "/as-it-was", backends: [backend.url] });
  assertEquals(response.status, 200);
  assertEquals(backend.asked[0]!.target, "/as-it-was");
});
