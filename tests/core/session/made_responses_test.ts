/**
 * Responses that no backend made.
 *
 * @module
 */
import { ProxyError } from "../../../core/errors.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import type { HandlerResponse } from "../../../core/plugin.ts";
import {
  forFailure,
  fromHandler,
  redirectTo,
} from "../../../core/session/made_responses.ts";
import {
  assertEquals,
  assertMatch,
  assertThrows,
} from "../../support/assert.ts";
import { textOf } from "../../support/byte_streams.ts";
import { fakeRequest } from "../../../core/testing/views.ts";

async function readBody(body: BodyReader | null): Promise<string | null> {
  if (body === null) return null;
  let text = "";
  while (!body.last) {
    if (!body.advance() && !await body.next()) break;
    text += textOf(body.bytes.subarray(body.start, body.end));
  }
  return text;
}

async function made(answer: HandlerResponse, method = "GET") {
  const { response, body } = fromHandler(answer, method);
  return {
    status: response.status,
    headers: [...response.headers],
    length: response.length,
    body: await readBody(body),
  };
}

// ------------------------------------------------------------------- handlers

Deno.test("fromHandler takes text, and says that it is text", async () => {
  assertEquals(await made({ status: 200, body: "hé" }), {
    status: 200,
    headers: [["content-type", "text/plain; charset=utf-8"]],
    length: 3,
    body: "hé",
  });
});

Deno.test("fromHandler leaves a content type that is given", async () => {
  const headers = { "Content-Type": "text/css" };

  assertEquals((await made({ status: 200, headers, body: "a{}" })).headers, [
    ["Content-Type", "text/css"],
  ]);
});

Deno.test("fromHandler takes bytes, and no body", async () => {
  const body = new Uint8Array([0x61, 0x62]);
  assertEquals(await made({ status: 201, body }), {
    status: 201,
    headers: [],
    length: 2,
    body: "ab",
  });
  assertEquals(await made({ status: 404 }), {
    status: 404,
    headers: [],
    length: 0,
    body: "",
  });
});

Deno.test("fromHandler takes a stream, of unknown length", async () => {
  const body = new Blob(["ab", "cd"]).stream();

  assertEquals(await made({ status: 200, body }), {
    status: 200,
    headers: [],
    length: undefined,
    body: "abcd",
  });
});

Deno.test("fromHandler takes an open file and closes it, also where no body is wanted", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "file");
  for (const [method, text] of [["GET", "file"], ["HEAD", null]] as const) {
    const body = await Deno.open(path);
    assertEquals((await made({ status: 200, body }, method)).body, text);
  }
  await Deno.remove(path);
});

Deno.test("fromHandler takes fields as an object, with lists, and as entries", async () => {
  const lists = await made({
    status: 200,
    headers: { "x-a": "1", "set-cookie": ["a=1", "b=2"] },
  });
  const entries = await made({
    status: 200,
    headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]],
  });

  assertEquals(lists.headers, [
    ["x-a", "1"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ]);
  assertEquals(entries.headers, [["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
});

Deno.test("fromHandler drops the fields that frame a message", async () => {
  const { headers } = await made({
    status: 200,
    headers: {
      "Content-Length": "99",
      "Transfer-Encoding": "chunked",
      Connection: "close",
    },
  });

  assertEquals(headers, []);
});

Deno.test("fromHandler takes a web Response with its cookies one by one", async () => {
  const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
  const answer = new Response("hi", { status: 203, headers });

  assertEquals(await made(answer), {
    status: 203,
    headers: [
      ["content-type", "text/plain;charset=UTF-8"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ],
    length: undefined,
    body: "hi",
  });
});

Deno.test("fromHandler takes a web Response without a body", async () => {
  const { length, body } = await made(new Response(null, { status: 200 }));

  assertEquals([length, body], [0, ""]);
});

Deno.test("fromHandler refuses a web Response that was used", async () => {
  const answer = new Response("hi");
  await answer.text();

  assertThrows(() => fromHandler(answer, "GET"), TypeError, "was used already");
});

Deno.test("fromHandler refuses what is no final status", () => {
  for (const status of [0, 101, 199, 600, 20.5, NaN]) {
    assertThrows(
      () => fromHandler({ status }, "GET"),
      RangeError,
      "200 to 599",
    );
  }
  assertThrows(() => fromHandler(Response.error(), "GET"), RangeError);
});

Deno.test("fromHandler refuses fields that would break the head", () => {
  const rows: readonly Record<string, string>[] = [
    { "x-a": "1\r\nx-b: 2" },
    { "x a": "1" },
    { "x-a": "€" },
    { "x-a": 1 as unknown as string },
  ];
  for (const headers of rows) {
    assertThrows(() => fromHandler({ status: 200, headers }, "GET"), TypeError);
  }
});

Deno.test("fromHandler has no body for HEAD and 204, and says the length that GET would have", async () => {
  const head = await made({ status: 200, body: "four" }, "HEAD");
  const none = await made({ status: 204 });

  assertEquals([head.length, head.body], [4, null]);
  assertEquals(none.body, null);
});

// ------------------------------------------------------------------ redirects

Deno.test("redirectTo says where to, in the field and in text", async () => {
  const { response, body } = redirectTo("https://a.example/b?c", 308, "GET");

  assertEquals(response.status, 308);
  assertEquals(response.reason, "Permanent Redirect");
  assertEquals(response.headers.get("location"), "https://a.example/b?c");
  assertEquals(await readBody(body), "See https://a.example/b?c\n");
});

Deno.test("redirectTo escapes what no URI may hold", () => {
  const { response } = redirectTo("/ä b\r\nx: €%20\ud800", 302, "GET");

  assertEquals(
    response.headers.get("location"),
    "/%C3%A4%20b%0D%0Ax:%20%E2%82%AC%20%EF%BF%BD",
  );
});

// ------------------------------------------------------------------- failures

async function failure(accept?: string, method = "GET") {
  const request = fakeRequest({
    method,
    ...accept !== undefined && { headers: { accept } },
  });
  const error = new ProxyError("no_backend", "secret detail");
  const { response, body } = forFailure(error, request, "id-1");
  return {
    status: response.status,
    reason: response.reason,
    from: response.from,
    type: response.headers.get("content-type"),
    cache: response.headers.get("cache-control"),
    length: response.length,
    text: await readBody(body),
  };
}

Deno.test("forFailure tells status and request id in text, and nothing of the reason", async () => {
  const text = "503 Service Unavailable\nRequest id-1\n";

  assertEquals(await failure(), {
    status: 503,
    reason: "Service Unavailable",
    from: "proxy",
    type: "text/plain; charset=utf-8",
    cache: "no-store",
    length: text.length,
    text,
  });
});

Deno.test("forFailure tells in JSON those who want that", async () => {
  const { type, text } = await failure("application/json");

  assertEquals(type, "application/json");
  assertEquals(JSON.parse(text!), {
    status: 503,
    error: "Service Unavailable",
    code: "no_backend",
    request: "id-1",
  });
});

Deno.test("forFailure tells in HTML those who want that", async () => {
  const { type, text } = await failure("text/html,*/*;q=0.8");

  assertEquals(type, "text/html; charset=utf-8");
  assertMatch(text!, /<h1>503 Service Unavailable<\/h1>.*id-1/);
});

/** Accept, the type's beginning. */
const ACCEPTS: readonly (readonly [string, string])[] = [
  ["*/*", "text/plain"],
  ["", "text/plain"],
  ["image/png", "text/plain"],
  ["Application/JSON", "application/json"],
  ["application/json, text/plain, */*", "application/json"],
  ["text/html, application/json", "text/html"],
  ["text/html;q=0.5, application/json;q=0.9", "application/json"],
  ["text/html; q=0.9 ,application/json ; q=0.1", "text/html"],
  ["application/json;q=0, text/html;q=0.1", "text/html"],
  ["application/json;q=0", "text/plain"],
  ["application/json;q=x", "text/plain"],
  ["text/html;level=1;q=0.3, text/plain;q=0.4", "text/plain"],
  ["application/json-seq, xapplication/json", "text/plain"],
];

for (const [accept, type] of ACCEPTS) {
  Deno.test(`forFailure answers Accept: ${accept} with ${type}`, async () => {
    assertEquals((await failure(accept)).type?.split(";")[0], type);
  });
}

Deno.test("forFailure has no body for HEAD and none but text where no request parsed", async () => {
  assertEquals((await failure(undefined, "HEAD")).text, null);
  const error = new ProxyError("bad_request", "x");
  const { response, body } = forFailure(error, undefined, "id-2");

  assertEquals(response.status, 400);
  assertEquals(await readBody(body), "400 Bad Request\nRequest id-2\n");
});

Deno.test("forFailure says with 405 what is allowed", () => {
  const error = new ProxyError("method_not_allowed", "x");
  const { response } = forFailure(error, undefined, "id-3");

  assertMatch(response.headers.get("allow")!, /\bGET\b/);
});
