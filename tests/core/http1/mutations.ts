/**
 * Ways to break valid messages: the tricks of request smuggling, and bytes at
 * random.
 *
 * @module
 */
import fc from "fast-check";

/** One change of a text. `at` counts places from its start, of any kind or of those where parsers decide. */
interface Edit {
  readonly at: number;
  readonly where: "anywhere" | "boundary" | "line";
  readonly remove: number;
  readonly insert: string;
  /** Bits of the byte there to turn over. */
  readonly flip: number;
  /** Bytes from there on to write twice. */
  readonly repeat: number;
}

/** Bytes that parsers have read differently. */
const BYTES = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  "\r\r\n",
  " ",
  "\t",
  "\0",
  "\x0b",
  "\x0c",
  "\x7f",
  "\x80",
  "\x85",
  "\xa0",
  "\xff",
  ":",
  ",",
  ";",
  '"',
  "=",
  "\\",
  "#",
  "/",
  "0",
  "5",
  "a",
  "+",
  "-",
  "0x",
  "_",
  "%",
  "@",
  "*",
  "?",
];

/** Lines that frame a body, or seem to. */
const FRAMING = [
  "Content-Length: 0",
  "Content-Length: 3",
  "Content-Length: 40",
  "content-length: 05",
  "Content-Length : 5",
  "Content-Length\t: 5",
  "Content-Length: +5",
  "Content-Length: -5",
  "Content-Length: 0x5",
  "Content-Length: 5, 5",
  "Content-Length: 5,",
  "Content-Length: 5 5",
  "Content-Length: \t5\t",
  "Content-Length:\x0b5",
  "Content-Length: 5\0",
  "Content-Length:",
  "Content-Length: 5.0",
  "Content_Length: 5",
  "Content-Length\x85: 5",
  "Content-Length: 18446744073709551621",
  "Transfer-Encoding: chunked",
  "transfer-encoding:CHUNKED",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding\t: chunked",
  "Transfer-Encoding: ,chunked",
  "Transfer-Encoding: chunked,",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: identity, chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: \x0bchunked",
  "Transfer-Encoding: chunked\0",
  "Transfer-Encoding: chunked\x85",
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding:",
  "Transfer-Encoding:\r\n chunked",
  "Transfer_Encoding: chunked",
  "Transfer-\r\nEncoding: chunked",
  " Transfer-Encoding: chunked",
  "X: y\nTransfer-Encoding: chunked",
  "X: y\rTransfer-Encoding: chunked",
  "X: y\rContent-Length: 5",
  "X: y\nContent-Length: 5",
];

/** Other lines that decide, or break a head. */
const LINES = [
  "Host: a",
  "Host: b",
  "Host:",
  "hOsT: a, b",
  "Host : a",
  "Host: a/b",
  "Host: u@a",
  "Connection: close",
  "Connection: keep-alive",
  "Connection: content-length",
  "Connection: transfer-encoding",
  "Connection: host, x-forwarded-for, via",
  "Connection: x, y\r\nX: 1",
  "Connection: upgrade",
  "Connection: ,,\t",
  "Connection: a b",
  "Connection: upgrade\r\nUpgrade: websocket",
  "Connection: upgrade\r\nUpgrade: h2c",
  "Upgrade: websocket",
  "Expect: 100-continue",
  "Expect: 100-continue, x",
  "Expect: x",
  "TE: trailers",
  "Trailer: X",
  "Max-Forwards: 0",
  "Via: 1.1 x",
  "X-Forwarded-For: 9.9.9.9",
  "X-Forwarded-Proto: https",
  "X: y\r\n z",
  "X: y\r\n\tz",
  "X: y\r\n ",
  ": x",
  ":",
  "X",
  "X y: z",
  "X\0: y",
  "X: y\0",
  "X: \x80\xff",
  "X_Y: z",
  "\rX: y",
  " X: y",
  "X:\t \ty\t ",
  "Proxy-Connection: close",
  "Keep-Alive: max=1",
  "HTTP2-Settings: AA",
];

/** Ends and beginnings of messages, bits of chunks. */
const PARTS = [
  "0\r\n\r\n",
  "0\r\n",
  "5\r\nhello\r\n",
  "5;a=b\r\n",
  '5;a="\r\n"\r\n',
  "5\n",
  "5 \r\n",
  "5;\r\n",
  "ffffffffffffffff\r\n",
  "-1\r\n",
  "00\r\nX: y\r\n\r\n",
  "\r\n0\r\n\r\n",
  "1\r\n\r\r\n",
  "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
  "\r\nGET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /smug HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n",
  "GET /smug\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
  " HTTP/1.0",
  " HTTP/1.1\r\n",
];

const insert = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...BYTES) },
  {
    weight: 1,
    arbitrary: fc.nat({ max: 255 }).map((byte) => String.fromCharCode(byte)),
  },
  { weight: 1, arbitrary: fc.constantFrom(...PARTS) },
);
const NOTHING = { remove: 0, insert: "", flip: 0, repeat: 0 };

const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      at: fc.nat(),
      where: fc.constantFrom("anywhere", "boundary"),
      remove: fc.nat({ max: 2 }),
      insert,
    }).map((some): Edit => ({ ...NOTHING, ...some } as Edit)),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      at: fc.nat(),
      insert: fc.constantFrom(...FRAMING, ...FRAMING, ...LINES),
    }).map(({ at, insert }): Edit => ({
      ...NOTHING,
      at,
      where: "line",
      insert: `${insert}\r\n`,
    })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      at: fc.nat(),
      flip: fc.integer({ min: 1, max: 255 }),
    })
      .map((some): Edit => ({ ...NOTHING, where: "anywhere", ...some })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      at: fc.nat(),
      remove: fc.integer({ min: 1, max: 30 }),
    })
      .map((some): Edit => ({ ...NOTHING, where: "boundary", ...some })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      at: fc.nat(),
      repeat: fc.integer({ min: 1, max: 60 }),
    })
      .map((some): Edit => ({ ...NOTHING, where: "line", ...some })),
  },
);

/** One to three changes; mostly one, so that much of what is broken is still taken for a message. */
export const edits: fc.Arbitrary<readonly Edit[]> = fc.oneof(
  { weight: 3, arbitrary: fc.array(edit, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(edit, { minLength: 2, maxLength: 3 }) },
);

/** The text with the changes, one after another. */
export function mutate(text: string, edits: readonly Edit[]): string {
  return edits.reduce(apply, text);
}

function apply(text: string, edit: Edit): string {
  const place = placeOf(text, edit);
  const flipped = edit.flip === 0
    ? ""
    : String.fromCharCode((text.charCodeAt(place) ^ edit.flip) & 0xff);
  const behind = place + edit.remove + flipped.length;
  const repeated = text.slice(place, place + edit.repeat);
  return text.slice(0, place) + edit.insert + flipped + repeated +
    text.slice(behind);
}

function placeOf(text: string, { at, where }: Edit): number {
  if (where !== "anywhere") {
    const places = [
      ...text.matchAll(where === "line" ? /(?<=\r\n)/g : /[\r\n:;, \t/]/g),
    ];
    if (places.length > 0) return places[at % places.length]!.index;
  }
  return at % Math.max(text.length, 1);
}

/** Requests in a row, the usual ways to frame them. */
export const REQUEST_SEEDS: readonly string[] = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
  "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
  '5;a="b"\r\nhello\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n' +
  "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
  "PUT http://a/x HTTP/1.1\r\nHost: a\r\nConnection: close, x-a\r\nX-A: 1\r\n" +
  "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
  "POST /old HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
];

/** Responses, the usual ways to frame them. */
export const REPLY_SEEDS: readonly string[] = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a="b"\r\nhello\r\n0\r\nT: x\r\n\r\n',
  "HTTP/1.1 200 OK\r\nConnection: close, x-a\r\nX-A: 1\r\n\r\nto the end",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
];
