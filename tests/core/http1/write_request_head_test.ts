import { decodeLatin1 } from "../../../core/http1/text.ts";
import { writeRequestHead } from "../../../core/http1/write_head.ts";
import { type Fields, PreparedFields } from "../../../core/message/fields.ts";
import type { OutgoingRequest } from "../../../core/message/head.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { parseRequest } from "./codec.ts";

function request(parts: Partial<OutgoingRequest>): OutgoingRequest {
  return {
    method: "GET",
    target: "/",
    fields: new ListFields([["host", "a"]]),
    bodyLength: 0,
    upgrade: undefined,
    prepared: undefined,
    ...parts,
  };
}

function requestText(parts: Partial<OutgoingRequest>): string {
  const out = new Uint8Array(4096);
  return decodeLatin1(out, 0, writeRequestHead(out, 0, request(parts)));
}

function received(...lines: string[]): Fields {
  return parseRequest(
    ["GET / HTTP/1.1", "Host: a", ...lines, "", ""].join("\r\n"),
  ).fields;
}

Deno.test("writeRequestHead() writes method, target and HTTP/1.1", () => {
  assertEquals(
    requestText({ method: "PURGE", target: "/a?b" }),
    "PURGE /a?b HTTP/1.1\r\nhost: a\r\n\r\n",
  );
});

Deno.test("writeRequestHead() copies received lines as they are", () => {
  const fields = received("X-One: 1", "x-two:2", "X-Empty:", "X-8: \xe9");
  assertEquals(
    requestText({ fields }),
    "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two:2\r\nX-Empty:\r\nX-8: \xe9\r\n\r\n",
  );
});

Deno.test("writeRequestHead() makes odd whitespace regular", () => {
  const fields = received("A:\t1", "B:  2", "C: 3 ", "D: 4", "E: 5\t");
  assertEquals(
    requestText({ fields }),
    "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n",
  );
});

Deno.test("writeRequestHead() leaves out what belongs to one connection", () => {
  const fields = received(
    "Connection: keep-alive, X-Named",
    "Keep-Alive: timeout=5",
    "X-Kept: 1",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Upgrade: websocket",
    "Trailer: x",
    "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "Proxy-Authenticate: x",
    "Proxy-Authorization: x",
    "X-Named: 2",
    "Content-Length: 0",
    "X-Last: 3",
  );
  assertEquals(
    requestText({ fields }),
    "GET / HTTP/1.1\r\nHost: a\r\nX-Kept: 1\r\nX-Last: 3\r\n\r\n",
  );
});

Deno.test("writeRequestHead() leaves out a meaningless Expect", () => {
  const { fields } = parseRequest(
    "POST / HTTP/1.0\r\nExpect: foo\r\nContent-Length: 1\r\nX: y\r\n\r\n",
  );
  assertEquals(
    requestText({ fields, method: "POST", bodyLength: 1 }),
    "POST / HTTP/1.1\r\nX: y\r\nhost: \r\ncontent-length: 1\r\n\r\n",
  );
});

Deno.test("writeRequestHead() writes the Host of an absolute form", () => {
  const head = parseRequest("GET http://A:80/x HTTP/1.1\r\nHost: a\r\n\r\n");
  const { target, fields } = head;
  assertEquals(
    requestText({ target, fields }),
    "GET /x HTTP/1.1\r\nHost: A:80\r\n\r\n",
  );
});

Deno.test("writeRequestHead() writes edits behind what was received", () => {
  const fields = received("X-A: 1", "X-B: 2", "X-C: 3");
  fields.delete("x-b");
  fields.set("x-a", "4");
  fields.append("X-D", "5");
  assertEquals(
    requestText({ fields }),
    "GET / HTTP/1.1\r\nHost: a\r\nX-C: 3\r\nx-a: 4\r\nX-D: 5\r\n\r\n",
  );
});

Deno.test("writeRequestHead() never takes framing from fields", () => {
  const fields = received();
  for (const list of [fields, new ListFields([["host", "a"]])]) {
    list.put("Content-Length", "9");
    list.put("transfer-encoding", "gzip");
    list.put("connection", "x");
    list.put("upgrade", "h2c");
    list.put("te", "x");
    const text = requestText({ fields: list, bodyLength: 3 }).toLowerCase();
    assertEquals(
      text,
      "get / http/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n",
    );
  }
});

Deno.test("writeRequestHead() takes any other implementation of Fields", () => {
  const list = new ListFields([["host", "a"], ["te", "x"], ["x", "1"]]);
  // Only what a codec may use of a stranger.
  const other = {
    has: (name: string) => list.has(name),
    [Symbol.iterator]: () => list[Symbol.iterator](),
  } as unknown as Fields;
  assertEquals(
    requestText({ fields: other }),
    "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n\r\n",
  );
});

const REQUEST_FRAMING: readonly (readonly [string, number, string])[] = [
  ["GET", 0, ""],
  ["DELETE", 0, ""],
  ["POST", 0, "content-length: 0\r\n"],
  ["PUT", 0, "content-length: 0\r\n"],
  ["PATCH", 0, "content-length: 0\r\n"],
  ["GET", 5, "content-length: 5\r\n"],
  ["POST", 10, "content-length: 10\r\n"],
  ["POST", 9007199254740991, "content-length: 9007199254740991\r\n"],
  ["POST", -1, "transfer-encoding: chunked\r\n"],
];

for (const [method, bodyLength, lines] of REQUEST_FRAMING) {
  Deno.test(`writeRequestHead() frames ${method} of ${bodyLength}`, () => {
    assertEquals(
      requestText({ method, bodyLength }),
      `${method} / HTTP/1.1\r\nhost: a\r\n${lines}\r\n`,
    );
  });
}

Deno.test("writeRequestHead() asks for an upgrade", () => {
  assertEquals(
    requestText({ upgrade: "websocket" }),
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  );
});

Deno.test("writeRequestHead() adds prepared fields, encoded once", () => {
  const prepared = new PreparedFields([["via", "1.1 x"], ["x-a", "\xe9"]]);
  const expected =
    "GET / HTTP/1.1\r\nhost: a\r\nvia: 1.1 x\r\nx-a: \xe9\r\n\r\n";
  assertEquals(requestText({ prepared }), expected);
  const encoded = prepared.http1(() => new Uint8Array(0));
  assertEquals(requestText({ prepared }), expected);
  assertEquals(decodeLatin1(encoded, 0, 12), "via: 1.1 x\r\n");
});

Deno.test("writeRequestHead() adds an empty Host where there is none", () => {
  assertEquals(
    requestText({ fields: new ListFields() }),
    "GET / HTTP/1.1\r\nhost: \r\n\r\n",
  );
});

Deno.test("writeRequestHead() writes at any position and returns the next", () => {
  const out = new Uint8Array(4096).fill(35);
  const end = writeRequestHead(out, 10, request({}));
  assertEquals(
    decodeLatin1(out, 8, end + 2),
    "##GET / HTTP/1.1\r\nhost: a\r\n\r\n##",
  );
});

const UNSAFE: readonly (readonly [string, Partial<OutgoingRequest>])[] = [
  ["CRLF in a target", { target: "/\r\nX: y" }],
  ["a space in a target", { target: "/ HTTP/1.1" }],
  ["a character that is CRLF when cut", { target: "/\u010d\u010a" }],
  ["CRLF in a method", { method: "GET\r\n" }],
  ["CRLF in a protocol", { upgrade: "x\r\ny" }],
  [
    "CRLF in a trusted value",
    { fields: new ListFields([["x", "a\r\nb: c"]]) },
  ],
  [
    "a cut character in a trusted value",
    { fields: new ListFields([["x", "\u010d\u010a"]]) },
  ],
  ["CRLF in a trusted name", { fields: new ListFields([["x\r\ny", "a"]]) }],
  ["CRLF in a prepared value", {
    prepared: new PreparedFields([["x", "a\r\nb: c"]]),
  }],
];

for (const [what, parts] of UNSAFE) {
  Deno.test(`writeRequestHead() refuses ${what}`, () => {
    assertThrows(() => requestText(parts), TypeError, "Cannot send");
  });
}

Deno.test("writeRequestHead() returns -1 instead of writing beyond the end", () => {
  const fields = received("X: 1", "Y:\t2", `Z: ${"z".repeat(100)}`);
  fields.set("a", "b".repeat(50));
  const parts = request({
    fields,
    target: `/${"t".repeat(100)}`,
    bodyLength: 12345,
    upgrade: "websocket",
    prepared: new PreparedFields([["via", "v".repeat(60)]]),
  });
  const large = new Uint8Array(4096);
  const end = writeRequestHead(large, 0, parts);
  let fitted = 0;
  for (let size = 0; size < end + 400; size++) {
    const out = new Uint8Array(size);
    const at = writeRequestHead(out, 0, parts);
    if (at < 0) continue;
    fitted++;
    assertEquals(out.subarray(0, at), large.subarray(0, end));
  }
  assert(fitted > 0 && fitted <= 400, `${fitted} sizes fitted`);
});
