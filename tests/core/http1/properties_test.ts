/**
 * What holds for any bytes: what is accepted is understood in the same way by
 * the next hop, and however it is cut.
 */
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import { chunkPrefix } from "../../../core/http1/write_chunk.ts";
import { decodeLatin1 } from "../../../core/http1/text.ts";
import { assertEquals } from "../../support/assert.ts";
import {
  driveRequests,
  driveResponses,
  type Message,
  type Outcome,
  parseRequest,
} from "./codec.ts";

const TOKEN_CHARS = "!#$%&'*+-.^_`|~0189abyzABYZ".split("");
const VALUE_CHARS = [
  ...' \t!"#,;:=?@[]~09azAZ'.split(""),
  "\x80",
  "\xff",
];

const token = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARS),
  minLength: 1,
  maxLength: 20,
});
const value = fc.string({
  unit: fc.constantFrom(...VALUE_CHARS),
  maxLength: 120,
}).map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));
const space = fc.stringMatching(/^[ \t]{0,3}$/);
const path = fc.string({
  unit: fc.constantFrom(..."/?&=%-._~!$'()*+,;:@azAZ09\"<>[]^`{|}\\".split("")),
  maxLength: 60,
});

/** Fields that mean nothing to the codec: names of the connection are left out. */
const field = fc.record({ name: token, value, before: space, behind: space })
  .filter(({ name }) => !/^(te|trailer|upgrade|host|expect)$/i.test(name));

const head = fc.record({
  method: token.filter((text) => !/^(CONNECT|TRACE)$/.test(text)),
  path,
  fields: fc.array(field, { maxLength: 20 }),
});

Deno.test("a valid head is parsed, written and parsed to the same", () => {
  fc.assert(fc.property(head, ({ method, path, fields }) => {
    const lines = fields.map(({ name, value, before, behind }) =>
      `${name}:${before}${value}${behind}\r\n`
    );
    const text = `${method} /${path} HTTP/1.1\r\nHost: a\r\n${
      lines.join("")
    }\r\n`;
    const expected = [
      ["Host", "a"],
      ...fields.map(({ name, value }) => [name, value]),
    ];
    const [first] = driveRequests([text]).messages;
    assertEquals(first?.head.method, method);
    assertEquals(first?.head.target, `/${path}`);
    assertEquals(first?.fields as unknown, expected);
    const again = parseRequest(first?.written ?? "");
    assertEquals(again.method, method);
    assertEquals(again.target, `/${path}`);
    const own = [...again.fields].filter(([name]) => name !== "content-length");
    assertEquals(own as unknown, expected);
  }));
});

const SEEDS = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
  "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
  '5;a="b"\r\nhello\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n' +
  "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
  "PUT http://a/x HTTP/1.1\r\nHost: a\r\nConnection: close, x-a\r\nX-A: 1\r\n" +
  "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
];

/** Bytes that parsers have read differently, besides any other. */
const NASTY = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  " ",
  "\t",
  "\0",
  ":",
  ",",
  ";",
  "0",
  "5",
  "\x0b",
  "\x85",
  "\xff",
  "Content-Length: 0\r\n",
  "Content-Length: 40\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Connection: content-length\r\n",
  "0\r\n\r\n",
  "chunked",
];

const edit = fc.record({
  at: fc.nat(),
  remove: fc.nat({ max: 3 }),
  insert: fc.oneof(
    fc.constantFrom("", ...NASTY),
    fc.nat({ max: 255 }).map((byte) => String.fromCharCode(byte)),
  ),
});
const mutated = fc.record({
  seed: fc.constantFrom(...SEEDS),
  edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
}).map(({ seed, edits }) =>
  edits.reduce((text, { at, remove, insert }) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + insert + text.slice(place + remove);
  }, seed)
);

/** The message as a backend would get it. */
function sentOn({ head, written, body }: Message): string {
  if (head.bodyLength !== -1) return written + body;
  const room = new Uint8Array(16);
  const size = body === ""
    ? ""
    : decodeLatin1(room, chunkPrefix(room, 16, body.length), 16);
  return `${written}${size}${body}${body === "" ? "" : "\r\n"}0\r\n\r\n`;
}

/** What a next hop must agree on. */
function meaning({ messages }: Outcome): unknown {
  return messages.filter(({ complete }) => complete).map((message) => {
    const { method, target, bodyLength } = message.head;
    // No Host leaves as an empty one: that means the same.
    const host = message.fields.filter(([name]) => /^host$/i.test(name))
      .map(([, value]) => value).join();
    return { method, target, bodyLength, body: message.body, host };
  });
}

Deno.test("what is accepted of mutated requests means the same when sent on", () => {
  fc.assert(
    fc.property(mutated, (text) => {
      const outcome = driveRequests([text]);
      const complete = outcome.messages.filter((message) => message.complete);
      const again = driveRequests([complete.map(sentOn).join("")]);
      assertEquals(again.error, undefined);
      assertEquals(again.pending, 0);
      assertEquals(meaning(again), meaning(outcome));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("mutated requests come to the same however they are cut", () => {
  fc.assert(
    fc.property(mutated, fc.array(fc.nat(), { maxLength: 5 }), (text, cuts) => {
      const places = cuts.map((cut) => cut % (text.length + 1)).toSorted((
        a,
        b,
      ) => a - b);
      const pieces = [0, ...places].map((place, i) =>
        text.slice(place, places[i])
      );
      const whole = driveRequests([text]);
      assertEquals(driveRequests(pieces), whole);
      assertEquals(driveRequests(text.split("")), whole);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("any bytes end in a message, a wish for more or a ProxyError", () => {
  const bytes = fc.array(
    fc.oneof(
      fc.constantFrom(...NASTY, "GET ", "/", " HTTP/1.1\r\n", "Host: a\r\n"),
      fc.nat({ max: 255 }).map((byte) => String.fromCharCode(byte)),
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(bytes, (pieces) => {
      // Anything else that was thrown would come out of these.
      driveRequests(pieces);
      driveResponses(pieces);
      driveResponses(["HTTP/1.1 200 OK\r\n", ...pieces]);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a failure of a head has a status of the client's side", () => {
  fc.assert(
    fc.property(mutated, (text) => {
      try {
        parseRequest(text);
      } catch (thrown) {
        if (!(thrown instanceof ProxyError)) return;
        assertEquals(thrown.side, "client");
        assertEquals(thrown.status >= 400, true);
      }
    }),
  );
});
