import { assertEquals } from "../../support/assert.ts";
import { parseRequest } from "./codec.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\n";

function lines(start: string, ...fields: string[]): string {
  return [start, ...fields, "", ""].join("\r\n");
}

// ------------------------------------------------------------------- versions

const VERSIONS: readonly (readonly [string, string])[] = [
  ["1.0", "1.0"],
  ["1.1", "1.1"],
  ["1.2", "1.1"],
  ["1.9", "1.1"],
];

for (const [sent, seen] of VERSIONS) {
  Deno.test(`Http1RequestHead.version is ${seen} for HTTP/${sent}`, () => {
    const head = parseRequest(lines(`GET / HTTP/${sent}`, "Host: a"));
    assertEquals(head.version, seen);
  });
}

// -------------------------------------------------------------------- targets

const TARGETS: readonly (readonly [string, string, string, string])[] = [
  ["GET", "/", "a", "/"],
  ["GET", "/a/../b/%2e%2e/c?x=%41", "a", "/a/../b/%2e%2e/c?x=%41"],
  ["GET", '/"<>\\^`{|}', "a", '/"<>\\^`{|}'],
  ["GET", "//a//b", "a", "//a//b"],
  ["GET", "http://a/x", "a", "/x"],
  ["GET", "HTTP://A/x", "a", "/x"],
  ["GET", "https://a/x?y", "a:443", "/x?y"],
  ["GET", "http://a:80/x", "a", "/x"],
  ["GET", "http://a:/x", "a", "/x"],
  ["GET", "http://a", "a", "/"],
  ["GET", "http://a?q=1", "a", "/?q=1"],
  ["GET", "http://[::1]:8080/x", "[::1]:8080", "/x"],
  ["OPTIONS", "*", "a", "*"],
  ["OPTIONS", "/x", "a", "/x"],
  ["OPTIONS", "http://a", "a", "*"],
  ["OPTIONS", "http://a/", "a", "/"],
  ["OPTIONS", "http://a?q", "a", "/?q"],
];

for (const [method, sent, host, seen] of TARGETS) {
  Deno.test(`Http1RequestHead.target is ${seen} for ${method} ${sent}`, () => {
    const head = parseRequest(
      lines(`${method} ${sent} HTTP/1.1`, `Host: ${host}`),
    );
    assertEquals(head.target, seen);
  });
}

Deno.test("Http1RequestHead takes Host from an absolute form", () => {
  const head = parseRequest(
    lines("GET http://A:80/ HTTP/1.1", "Host: a", "X: y"),
  );
  assertEquals([...head.fields], [["Host", "A:80"], ["X", "y"]]);
});

Deno.test("Http1RequestHead adds the Host that HTTP/1.0 left out", () => {
  const head = parseRequest(lines("GET http://a:8080/x HTTP/1.0"));
  assertEquals(head.fields.getAll("host"), ["a:8080"]);
});

Deno.test("Http1RequestHead.received is what came, whatever handlers have made of it", () => {
  const head = parseRequest(
    lines("GET / HTTP/1.1", "Host: a", "Authorization: x", "X: y", "X: z"),
  );
  const { fields } = head;
  const came = [["Host", "a"], ["Authorization", "x"], ["X", "y"], ["X", "z"]];
  fields.delete("authorization");
  fields.set("x", "other");
  fields.set("host", "b");
  assertEquals([...head.received], came);
  fields.keep();
  assertEquals([...head.received], came);
  assertEquals([head.host, head.authorized], ["a", true]);
});

// -------------------------------------------------------------------- framing

const LENGTHS: readonly (readonly [string, number])[] = [
  ["X: y", 0],
  ["Content-Length: 0", 0],
  ["Content-Length: 5", 5],
  ["Content-Length: 0005", 5],
  ["Content-Length: \t5 ", 5],
  ["Content-Length: 9007199254740991", Number.MAX_SAFE_INTEGER],
  ["Transfer-Encoding: chunked", -1],
  ["transfer-encoding:ChunKed\t", -1],
  ["Transfer_Encoding: chunked", 0],
];

for (const [field, length] of LENGTHS) {
  Deno.test(`Http1RequestHead.bodyLength is ${length} for ${field}`, () => {
    assertEquals(parseRequest(POST + field + "\r\n\r\n").bodyLength, length);
  });
}

// --------------------------------------------- persistence, Expect and Upgrade

const KEPT_ALIVE: readonly (readonly [string, string, boolean])[] = [
  ["1.1", "", true],
  ["1.1", "Connection: keep-alive\r\n", true],
  ["1.1", "Connection: close\r\n", false],
  ["1.1", "Connection: keep-alive, CLOSE\r\n", false],
  ["1.1", "Connection: , ,x,\tclose ,\r\n", false],
  ["1.1", "Connection: x\r\nConnection: close\r\n", false],
  ["1.1", "Connection: closed\r\n", true],
  ["1.0", "", false],
  ["1.0", "Connection: keep-alive\r\n", false],
];

for (const [version, fields, kept] of KEPT_ALIVE) {
  const shown = JSON.stringify(fields);
  Deno.test(`Http1RequestHead.keepAlive is ${kept} for HTTP/${version} ${shown}`, () => {
    const head = parseRequest(
      `GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`,
    );
    assertEquals(head.keepAlive, kept);
  });
}

Deno.test("Http1RequestHead.expectsContinue needs HTTP/1.1 and a body", () => {
  const expect = "Expect: 100-Continue";
  const body = "Content-Length: 5";
  const cases: readonly (readonly [string, boolean])[] = [
    [lines("POST / HTTP/1.1", "Host: a", expect, body), true],
    [
      lines("POST / HTTP/1.1", "Host: a", expect, "Transfer-Encoding: chunked"),
      true,
    ],
    [lines("POST / HTTP/1.1", "Host: a", expect), false],
    [lines("POST / HTTP/1.1", "Host: a", expect, "Content-Length: 0"), false],
    [lines("POST / HTTP/1.1", "Host: a", body), false],
    [lines("POST / HTTP/1.0", "Host: a", expect, body), false],
    [lines("POST / HTTP/1.0", "Host: a", "Expect: foo", body), false],
  ];
  for (const [text, expected] of cases) {
    assertEquals(parseRequest(text).expectsContinue, expected, text);
  }
});

const UPGRADES: readonly (readonly [string, string | undefined])[] = [
  ["Connection: Upgrade\r\nUpgrade: WebSocket\r\n", "websocket"],
  ["Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n", "websocket"],
  ["Connection: upgrade\r\nUpgrade: a/1.0, b\r\n", "a/1.0"],
  ["Upgrade: websocket\r\n", undefined],
  ["Connection: upgrade\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade:\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: a b\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: h2c\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: H2C, websocket\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: h2\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: h2c/1\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: TLS/1.2\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: tls-like\r\n", "tls-like"],
  ["Connection: upgrade\r\nUpgrade: h3\r\n", "h3"],
  // No protocol: neither a name alone nor a name and a version.
  ["Connection: upgrade\r\nUpgrade: /\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: /websocket\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: websocket/\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: websocket//1\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: websocket/1/2\r\n", undefined],
  ["Connection: upgrade\r\nUpgrade: websocket \t, a\r\n", "websocket"],
];

for (const [fields, upgrade] of UPGRADES) {
  Deno.test(`Http1RequestHead.upgrade is ${upgrade} for ${JSON.stringify(fields)}`, () => {
    assertEquals(parseRequest(GET + fields + "\r\n").upgrade, upgrade);
  });
}

Deno.test("Http1RequestHead.upgrade is undefined in HTTP/1.0", () => {
  const head = parseRequest(
    lines("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: websocket"),
  );
  assertEquals(head.upgrade, undefined);
});

Deno.test("parseRequestHead() takes 32 options of Connection", () => {
  const head = parseRequest(
    lines("GET / HTTP/1.1", "Host: a", `Connection: ${"a,".repeat(31)}close`),
  );
  assertEquals(head.keepAlive, false);
});
