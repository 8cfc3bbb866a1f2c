/**
 * From words to the request that a client would send.
 *
 * @module
 */
import { ProxyError } from "../../../core/errors.ts";
import {
  type DescribedRequest,
  DescriptionError,
  readClient,
  readHead,
  readUrl,
} from "../../../core/explain/described_request.ts";
import {
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

const LIMITS = {
  headerBytes: 1_000,
  headers: 10,
  targetBytes: 500,
  bodyBytes: 100,
};

Deno.test("readUrl tells what a client makes of a URL, the target as it is written", () => {
  const rows: readonly [string, ReturnType<typeof readUrl>][] = [
    ["http://a.example", {
      scheme: "http",
      authority: "a.example",
      hostname: "a.example",
      port: 80,
      target: "/",
    }],
    ["HTTPS://A.Example.:8443/x/../y?b=%2F#part", {
      scheme: "https",
      authority: "A.Example.:8443",
      hostname: "a.example.",
      port: 8443,
      target: "/x/../y?b=%2F",
    }],
    ["http://a:80?q", {
      scheme: "http",
      authority: "a:80",
      hostname: "a",
      port: 80,
      target: "/?q",
    }],
    ["https://[::1]/", {
      scheme: "https",
      authority: "[::1]",
      hostname: "::1",
      port: 443,
      target: "/",
    }],
    ["http://bücher.example:81/", {
      scheme: "http",
      authority: "xn--bcher-kva.example:81",
      hostname: "xn--bcher-kva.example",
      port: 81,
      target: "/",
    }],
    ["tcp://localhost:80", {
      scheme: "tcp",
      authority: "localhost:80",
      hostname: "localhost",
      port: 80,
      target: "/",
    }],
  ];
  for (const [text, url] of rows) assertEquals(readUrl(text), url, text);
});

Deno.test("readUrl refuses what is none that a listener could get", () => {
  const rows = [
    ["", "must be http://"],
    ["a.example/x", "must be http://"],
    ["ftp://a/", "must be http://"],
    ["http:///x", "must be http://"],
    ["http://a:99999/", "must be http://"],
    ["http://u:p@a/", "no user"],
    ["tcp://a", "must have a port"],
  ] as const;
  for (const [text, reason] of rows) {
    const { message } = assertThrows(() => readUrl(text), DescriptionError);
    assertStringIncludes(message, reason);
  }
});

Deno.test("readClient takes an address and nothing else", () => {
  const url = "http://a";
  assertEquals(readClient({ url }), "127.0.0.1");
  assertEquals(readClient({ url, client: "2001:db8::1" }), "2001:db8::1");
  assertThrows(() => readClient({ url, client: "a" }), DescriptionError);
});

function read(described: Omit<DescribedRequest, "url">, url = "http://a:81/x") {
  const head = readHead({ url, ...described }, readUrl(url), LIMITS);
  return {
    method: head.method,
    target: head.target,
    fields: [...head.fields],
    bodyLength: head.bodyLength,
  };
}

Deno.test("readHead: the head as traffic's parser reads it", () => {
  assertEquals(read({}), {
    method: "GET",
    target: "/x",
    fields: [["Host", "a:81"]],
    bodyLength: 0,
  });
  assertEquals(
    read({
      method: "PUT",
      headers: [["host", "b"], ["X", "1"], ["x", "é"], ["content-length", "7"]],
    }),
    {
      method: "PUT",
      target: "/x",
      // As UTF-8, a character a byte.
      fields: [["host", "b"], ["X", "1"], ["x", "Ã©"], ["content-length", "7"]],
      bodyLength: 7,
    },
  );
});

Deno.test("readHead refuses as traffic refuses", () => {
  const rows: readonly [Omit<DescribedRequest, "url">, string][] = [
    [{ headers: [["a b", "1"]] }, "bad_request"],
    [{ headers: [["host", "a"], ["host", "b"]] }, "bad_request"],
    [{ headers: [["content-length", "x"]] }, "bad_request"],
    [{ headers: [["content-length", "101"]] }, "body_too_large"],
    [{ headers: [["x", "y".repeat(1_000)]] }, "headers_too_large"],
    [{ method: "TRACE" }, "method_not_allowed"],
    [{ method: "G T" }, "bad_request"],
  ];
  for (const [described, code] of rows) {
    const error = assertThrows(() => read(described), ProxyError);
    assertEquals(error.code, code);
  }
  const long = assertThrows(
    () => read({}, `http://a/${"x".repeat(500)}`),
    ProxyError,
  );
  assertEquals(long.code, "target_too_long");
});

Deno.test("readHead takes no line break: that would be another request", () => {
  for (
    const described of [
      { method: "GET / HTTP/1.1\r\nX: 1\r\n\r\nGET" },
      { headers: [["x", "1\r\ny: 2"]] },
      { headers: [["x\n", "1"]] },
    ] as const
  ) assertThrows(() => read(described), DescriptionError);
});
