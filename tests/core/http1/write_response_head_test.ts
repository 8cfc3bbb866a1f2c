import { decodeLatin1, encodeLatin1 } from "../../../core/http1/text.ts";
import {
  type ResponseMode,
  writeResponseHead,
} from "../../../core/http1/write_head.ts";
import type { OutgoingResponse } from "../../../core/message/head.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { parseResponse } from "./codec.ts";

const MODE: ResponseMode = { close: false, http10: false, chunked: true };

function response(parts: Partial<OutgoingResponse>): OutgoingResponse {
  return {
    status: 200,
    reason: "OK",
    fields: new ListFields(),
    bodyLength: 2,
    hasBody: true,
    ...parts,
  };
}

function responseText(
  parts: Partial<OutgoingResponse>,
  mode: Partial<ResponseMode> = {},
): string {
  const out = new Uint8Array(4096);
  const end = writeResponseHead(out, 0, response(parts), { ...MODE, ...mode });
  return decodeLatin1(out, 0, end);
}

Deno.test("writeResponseHead() writes status, reason and fields", () => {
  const fields = new ListFields([["Server", "x"]]);
  assertEquals(
    responseText({ status: 404, reason: "Not Found", fields }),
    "HTTP/1.1 404 Not Found\r\nServer: x\r\ncontent-length: 2\r\n\r\n",
  );
});

Deno.test("writeResponseHead() writes an empty reason with its space", () => {
  assertEquals(
    responseText({ reason: "" }),
    "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n",
  );
});

Deno.test("writeResponseHead() drops a backend's framing", () => {
  const { fields } = parseResponse(
    "HTTP/1.0 200 OK\r\nContent-Length: 9\r\nConnection: keep-alive, x-a\r\n" +
      "Keep-Alive: timeout=5\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
  );
  assertEquals(
    responseText({ fields }),
    "HTTP/1.1 200 OK\r\nX-B: 2\r\ncontent-length: 2\r\n\r\n",
  );
});

/** [what, the response, how, the lines that follow] */
const RESPONSE_FRAMING: readonly (readonly [
  string,
  Partial<OutgoingResponse>,
  Partial<ResponseMode>,
  string,
])[] = [
  ["a known length", { bodyLength: 7 }, {}, "content-length: 7\r\n"],
  ["an empty body", { bodyLength: 0 }, {}, "content-length: 0\r\n"],
  [
    "an unknown length",
    { bodyLength: -1 },
    {},
    "transfer-encoding: chunked\r\n",
  ],
  [
    "an unknown length for HTTP/1.0",
    { bodyLength: -1 },
    { http10: true },
    "connection: close\r\n",
  ],
  [
    "an unknown length without chunks",
    { bodyLength: -1 },
    { chunked: false },
    "connection: close\r\n",
  ],
  [
    "a known length for HTTP/1.0",
    { bodyLength: 7 },
    { http10: true },
    "content-length: 7\r\nconnection: close\r\n",
  ],
  [
    "a connection that closes",
    { bodyLength: 7 },
    { close: true },
    "content-length: 7\r\nconnection: close\r\n",
  ],
  [
    "HEAD of a known length",
    { bodyLength: 7, hasBody: false },
    {},
    "content-length: 7\r\n",
  ],
  ["HEAD of no length", { bodyLength: undefined, hasBody: false }, {}, ""],
  ["HEAD of an unknown length", { bodyLength: -1, hasBody: false }, {}, ""],
  [
    "304 of a known length",
    { status: 304, bodyLength: 7, hasBody: false },
    {},
    "content-length: 7\r\n",
  ],
  ["204", { status: 204, bodyLength: 0, hasBody: false }, {}, ""],
  [
    "204 that closes",
    { status: 204, bodyLength: 5, hasBody: false },
    { close: true },
    "connection: close\r\n",
  ],
  [
    "103 on a connection that closes",
    { status: 103, bodyLength: 5, hasBody: false },
    { close: true },
    "",
  ],
];

for (const [what, parts, mode, lines] of RESPONSE_FRAMING) {
  Deno.test(`writeResponseHead() frames ${what}`, () => {
    assertEquals(
      responseText(parts, mode),
      `HTTP/1.1 ${parts.status ?? 200} OK\r\n${lines}\r\n`,
    );
  });
}

for (const status of [101, 426]) {
  Deno.test(`writeResponseHead() keeps the Upgrade of a ${status}`, () => {
    const { fields } = parseResponse(
      `HTTP/1.1 ${status} X\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n`,
    );
    const text = responseText({
      status,
      fields,
      bodyLength: 0,
      hasBody: false,
    });
    const framing = status === 101 ? "" : "content-length: 0\r\n";
    assertEquals(
      text,
      `HTTP/1.1 ${status} OK\r\n${framing}connection: upgrade\r\nupgrade: WebSocket\r\n\r\n`,
    );
  });
}

Deno.test("writeResponseHead() drops the Upgrade of others", () => {
  const { fields } = parseResponse(
    "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
  );
  assertEquals(
    responseText({ fields }),
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
  );
});

Deno.test("writeResponseHead() adds Date to final responses without one", () => {
  const date = encodeLatin1("date: now\r\n");
  const line = "date: now\r\n";
  assertEquals(responseText({}, { date }).includes(line), true);
  const fields = new ListFields([["DATE", "then"]]);
  assertEquals(responseText({ fields }, { date }).includes(line), false);
  assertEquals(responseText({ status: 103 }, { date }).includes(line), false);
});

Deno.test("writeResponseHead() refuses CRLF in a reason", () => {
  assertThrows(() => responseText({ reason: "a\r\nb" }), TypeError);
  assertThrows(() => responseText({ reason: "\u010d\u010a" }), TypeError);
});

for (const status of [0, 99, 1000, NaN]) {
  Deno.test(`writeResponseHead() refuses status ${status}`, () => {
    assertThrows(() => responseText({ status }), RangeError);
  });
}

Deno.test("writeResponseHead() returns -1 instead of writing beyond the end", () => {
  const fields = new ListFields([["x", "y".repeat(100)]]);
  const parts = response({ fields, bodyLength: -1 });
  const mode = { ...MODE, close: true, date: encodeLatin1("date: now\r\n") };
  const large = new Uint8Array(4096);
  const end = writeResponseHead(large, 0, parts, mode);
  let fitted = 0;
  for (let size = 0; size < end + 300; size++) {
    const out = new Uint8Array(size);
    const at = writeResponseHead(out, 0, parts, mode);
    if (at < 0) continue;
    fitted++;
    assertEquals(out.subarray(0, at), large.subarray(0, end));
  }
  assert(fitted > 0 && fitted <= 300, `${fitted} sizes fitted`);
});
