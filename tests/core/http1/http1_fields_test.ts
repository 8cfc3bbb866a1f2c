import { HeadIndex } from "../../../core/http1/head_index.ts";
import { Http1Fields } from "../../../core/http1/http1_fields.ts";
import { Http1RequestHead } from "../../../core/http1/request_head.ts";
import { parseRequestHead } from "../../../core/http1/request_parser.ts";
import { encodeLatin1 } from "../../../core/http1/text.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { LIMITS, parseRequest } from "./codec.ts";

const OVER = "Cannot read headers as their transaction is over";

function fieldsOf(...lines: string[]): Http1Fields {
  return parseRequest(
    ["GET / HTTP/1.1", "Host: a", ...lines, "", ""].join("\r\n"),
  ).fields;
}

Deno.test("Http1Fields.get() joins all values of a name in any case", () => {
  const fields = fieldsOf("X-A: 1", "x-a:2", "X-B: 3", "X-A: 4");
  assertEquals(fields.get("X-a"), "1, 2, 4");
  assertEquals(fields.get("x-c"), null);
  assertEquals(fields.get("not a name"), null);
  fields.append("x-A", "5");
  assertEquals(fields.get("x-a"), "1, 2, 4, 5");
});

Deno.test("Http1Fields.getAll() and first() keep the order", () => {
  const fields = fieldsOf("Set-Cookie: a=1", "set-cookie: b=2");
  fields.append("Set-Cookie", "c=3");
  assertEquals(fields.getAll("set-cookie"), ["a=1", "b=2", "c=3"]);
  assertEquals(fields.first("set-cookie"), "a=1");
  assertEquals(fields.first("none"), undefined);
  assertEquals(fields.getAll("none"), []);
});

Deno.test("Http1Fields tells names apart that differ only in bit 5", () => {
  // `^` and `~` are both tokens: comparing with `| 0x20` would mix them up.
  const fields = fieldsOf("x^: 1", "x~: 2");
  assertEquals([fields.get("x^"), fields.get("x~")], ["1", "2"]);
});

Deno.test("Http1Fields reads an empty value as one", () => {
  const fields = fieldsOf("X:");
  assertEquals(fields.has("x"), true);
  assertEquals(fields.get("x"), "");
  assertEquals(fields.first("x"), "");
});

Deno.test("Http1Fields iterates names as they came and as they were given", () => {
  const fields = fieldsOf("X-One: 1", "x-TWO: 2");
  fields.set("X-Three", "3");
  assertEquals([...fields], [
    ["Host", "a"],
    ["X-One", "1"],
    ["x-TWO", "2"],
    ["X-Three", "3"],
  ]);
});

Deno.test("Http1Fields.set() replaces all fields of the name by one", () => {
  const fields = fieldsOf("X-A: 1", "X-B: 2", "x-a: 3");
  fields.set("x-A", " \t4 5\t ");
  assertEquals(fields.getAll("x-a"), ["4 5"]);
  fields.set("X-A", "6");
  assertEquals([...fields], [["Host", "a"], ["X-B", "2"], ["X-A", "6"]]);
});

Deno.test("Http1Fields.delete() removes received and added fields", () => {
  const fields = fieldsOf("X-A: 1", "User-Agent: u");
  fields.append("x-a", "2");
  fields.delete("X-A");
  fields.delete("user-agent");
  fields.delete("none");
  assertEquals([...fields], [["Host", "a"]]);
  assertEquals(fields.has("user-agent"), false);
});

Deno.test("Http1Fields removes fields beyond the 32nd", () => {
  const lines = Array.from({ length: 80 }, (_, i) => `X-${i}: ${i}`);
  const fields = fieldsOf(...lines);
  for (let i = 0; i < 80; i += 2) fields.delete(`x-${i}`);
  const odd = lines.filter((_, i) => i % 2 === 1).map((line) =>
    line.split(": ") as [string, string]
  );
  assertEquals([...fields], [["Host", "a"], ...odd]);
});

const FRAMING = [
  "content-length",
  "Transfer-Encoding",
  "connection",
  "keep-alive",
  "proxy-connection",
  "UPGRADE",
  "trailer",
  "te",
];

for (const name of FRAMING) {
  Deno.test(`Http1Fields lets ${name} be read but not changed`, () => {
    const fields = parseRequest(
      `GET / HTTP/1.1\r\nHost: a\r\nTE: x\r\nConnection: te\r\n\r\n`,
    ).fields;
    assertThrows(() => fields.set(name, "1"), TypeError, "belongs to");
    assertThrows(() => fields.append(name, "1"), TypeError, "belongs to");
    assertThrows(() => fields.delete(name), TypeError, "belongs to");
    assertEquals(fields.get("te"), "x");
    assertEquals(fields.get("connection"), "te");
  });
}

Deno.test("Http1Fields.put() and remove() change framing fields", () => {
  const fields = fieldsOf("Connection: close", "TE: x");
  fields.put("Connection", "upgrade");
  fields.remove("te");
  assertEquals(fields.getAll("connection"), ["upgrade"]);
  assertEquals(fields.has("te"), false);
});

for (const name of ["", "a b", "a:", "a\r\nb", "\u00e9", "a\u212a"]) {
  Deno.test(`Http1Fields refuses the name ${JSON.stringify(name)}`, () => {
    const fields = fieldsOf();
    assertThrows(() => fields.set(name, "1"), TypeError, "must be a token");
    assertThrows(() => fields.append(name, "1"), TypeError, "must be a token");
    assertThrows(() => fields.delete(name), TypeError, "must be a token");
  });
}

for (const value of ["a\r\nb", "\n", "a\0", "\x7f", "\u0100", "\u010d\u010a"]) {
  Deno.test(`Http1Fields refuses the value ${JSON.stringify(value)}`, () => {
    const fields = fieldsOf("X: 1");
    assertThrows(() => fields.set("x", value), TypeError, "printable");
    assertThrows(() => fields.append("x", value), TypeError, "printable");
    assertEquals(fields.get("x"), "1");
  });
}

Deno.test("Http1Fields refuses a value that is no string", () => {
  const value = 5 as unknown as string;
  assertThrows(() => fieldsOf().set("x", value), TypeError, "number");
});

Deno.test("Http1Fields refuses a second Host", () => {
  const fields = fieldsOf();
  assertThrows(() => fields.append("HOST", "b"), TypeError, "set it");
  fields.set("host", "b");
  assertEquals(fields.getAll("host"), ["b"]);
});

Deno.test("Http1Fields hides what Connection names", () => {
  const fields = fieldsOf(
    "Connection: close, X-Foo",
    "x-foo: 1",
    "X-FOO: 2",
    "X-Bar: 3",
  );
  assertEquals(fields.has("x-foo"), false);
  assertEquals(fields.get("x-foo"), null);
  assertEquals([...fields].map(([name]) => name), [
    "Host",
    "Connection",
    "X-Bar",
  ]);
  fields.set("x-foo", "ours");
  assertEquals(fields.get("x-foo"), "ours");
});

const PROTECTED = [
  "Host",
  "Content-Type",
  "Authorization",
  "Cookie",
  "X-Forwarded-For",
  "Forwarded",
  "Via",
  "Date",
  "Cache-Control",
  "Accept",
  "Sec-WebSocket-Key",
];

for (const name of PROTECTED) {
  Deno.test(`Http1Fields shows ${name} though Connection names it`, () => {
    const line = name === "Host" ? [] : [`${name}: a`];
    const fields = fieldsOf(`Connection: ${name}`, ...line);
    assertEquals(fields.get(name), "a");
  });
}

Deno.test("Http1Fields.copy() is independent both ways", () => {
  const one = fieldsOf("X: 1", "Y: 2");
  one.delete("y");
  one.set("z", "3");
  const other = one.copy();
  one.set("z", "4");
  one.delete("x");
  other.append("z", "5");
  assertEquals([...one], [["Host", "a"], ["z", "4"]]);
  assertEquals([...other], [["Host", "a"], ["X", "1"], ["z", "3"], ["z", "5"]]);
});

Deno.test("Http1Fields.release() ends every read and change", () => {
  const fields = fieldsOf("X: 1");
  const iterator = fields[Symbol.iterator]();
  iterator.next();
  fields.release();
  fields.release();
  const uses: (() => unknown)[] = [
    () => fields.get("x"),
    () => fields.getAll("x"),
    () => fields.first("x"),
    () => fields.has("x"),
    () => fields.set("x", "1"),
    () => fields.append("x", "1"),
    () => fields.delete("x"),
    () => fields.put("x", "1"),
    () => fields.copy(),
    () => fields.keep(),
    () => [...fields],
    () => iterator.next(),
    () => fields.bytes,
    () => fields.index,
  ];
  for (const use of uses) assertThrows(use, Error, OVER);
});

Deno.test("Http1Fields.release() ends the copies' lives and the head's", () => {
  const head = parseRequest("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const copy = head.fields.copy();
  copy.set("x", "1");
  head.fields.release();
  assertThrows(() => copy.get("host"), Error, OVER);
  assertThrows(() => copy.get("x"), Error, OVER);
  assertThrows(() => head.target, Error, OVER);
});

Deno.test("HeadIndex.reset() ends the life of the fields read by it", () => {
  const index = new HeadIndex(10);
  const parse = (text: string) => {
    const bytes = encodeLatin1(text);
    index.reset();
    parseRequestHead(bytes, 0, bytes.length, LIMITS, index);
    return new Http1RequestHead(bytes, index);
  };
  const one = parse("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  const other = parse("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n");
  assertThrows(() => one.fields.get("host"), Error, OVER);
  // A late release must not hit the message that has the index now.
  one.fields.release();
  assertEquals(other.fields.get("host"), "b");
});

Deno.test("Http1Fields.keep() outlives the bytes and the index", () => {
  const text = "xxGET http://a:80/p?q HTTP/1.1\r\nHost: a\r\nUpgrade: w\r\n" +
    "Connection: upgrade\r\nX:\t1\r\nY: 2\r\n\r\n";
  const bytes = encodeLatin1(text);
  const index = new HeadIndex(10);
  parseRequestHead(bytes, 2, bytes.length, LIMITS, index);
  const head = new Http1RequestHead(bytes, index);
  head.fields.delete("y");
  head.fields.set("z", "3");
  head.fields.keep();
  head.fields.keep();
  bytes.fill(0);
  index.reset();
  head.fields.release();
  assertEquals([head.method, head.target, head.upgrade], ["GET", "/p?q", "w"]);
  const kept = [...head.fields];
  assertEquals(kept, [
    ["Host", "a:80"],
    ["Upgrade", "w"],
    ["Connection", "upgrade"],
    ["X", "1"],
    ["z", "3"],
  ]);
  const copy = head.fields.copy();
  copy.release();
  assertEquals([...copy], kept);
});

Deno.test("Http1Fields.removeLookalikes() removes what differs in signs alone, received or added", () => {
  const names = ["x-forwarded-for", "x-client-cert-san"];
  const fields = fieldsOf(
    "X-Forwarded-For: 1",
    "x_forwarded_for: 2",
    "X-Forwarded_For: 3",
    "X_Forwarded_Proto: 4",
    "x.client-cert~SAN: 5",
    "x_forwarded_four: 6",
    "X_Client_Cert_Sa_: 7",
  );
  fields.append("X_Forwarded_For", "8");
  assertEquals(fields.get("x_forwarded_for"), "2, 8");
  fields.removeLookalikes(names);
  assertEquals([...fields].map(([, value]) => value), [
    "a",
    "1",
    "4",
    "6",
    "7",
  ]);
  assertEquals(fields.has("x_forwarded_for"), false);
  // The index of the next head on the connection knows nothing of it.
  const index = new HeadIndex(10);
  index.lookalikes = true;
  index.reset();
  assertEquals(index.lookalikes, false);
});
