/**
 * Valid messages at random, each with what it means.
 *
 * @module
 */
import fc from "fast-check";

/** Bytes as text, one character each, with the pieces that they come in. */
export type Pieces = readonly string[];

/** A field as it is meant, its name in the letters that it is sent in. */
export type Field = readonly [string, string];

/** What a request means. */
export interface RequestModel {
  readonly text: string;
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** Host first, then the others in order, framing left out. */
  readonly fields: readonly Field[];
  readonly body: string;
  readonly chunked: boolean;
  readonly keepAlive: boolean;
}

/** What a response to a method means. */
export interface ResponseModel {
  readonly text: string;
  readonly method: string;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly framing: "length" | "chunked" | "end" | "none";
}

const TOKEN_CHARS = "!#$%&'*+-.^_`|~0189abyzABYZ".split("");
const VALUE_CHARS = [...' \t!"#,;:=?@[]~09azAZ'.split(""), "\x80", "\xff"];
const TARGET_CHARS = [
  ..."/?&=-._~!$'()*+,;:@azAZ09\"<>[]^`{|}\\".split(""),
  "%4a",
];

const HOSTS = ["a", "A.example:8080", "[::1]", "127.0.0.1:80"];

/** A token that no rule of a message knows, whatever its letters. */
export const token: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARS),
  minLength: 1,
  maxLength: 20,
});
/** Mostly one that everybody knows. */
const method = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("GET", "POST", "PUT", "OPTIONS") },
  {
    weight: 1,
    arbitrary: token.filter((text) => !/^(CONNECT|TRACE)$/.test(text)),
  },
);
/** A field's value without whitespace around it. */
export const value: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...VALUE_CHARS),
  maxLength: 120,
}).map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));
const space = fc.stringMatching(/^[ \t]{0,3}$/);
/** A path with a query, or anything else that may stand behind the first slash. */
export const path: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...TARGET_CHARS),
  maxLength: 60,
}).chain((text) =>
  // An escape that is none, now and then.
  fc.constantFrom(text, text, text, text, text, `${text}%`)
);

/** Names that mean something to the codec. */
const MEANT =
  /^(connection|content-length|transfer-encoding|host|expect|upgrade|te|trailer|keep-alive|proxy-.*|http2-settings)$/i;

/** A field line, and what it says. */
interface Line {
  readonly line: string;
  readonly field: Field;
}

const line: fc.Arbitrary<Line> = fc.record({
  name: token.filter((name) => !MEANT.test(name)),
  value,
  before: space,
  behind: space,
}).map(({ name, value, before, behind }) => ({
  line: `${name}:${before}${value}${behind}\r\n`,
  field: [name, value] as const,
}));

/** Fields that are read and never written on, in any message. */
const hop = fc.constantFrom(
  "TE: trailers\r\n",
  "Keep-Alive: timeout=5\r\n",
  "Proxy-Connection: keep-alive\r\n",
  "Trailer: x\r\n",
  "",
);

const data = fc.oneof(
  fc.constantFrom(
    "",
    "\r\n",
    "0\r\n\r\n",
    "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
  ),
  fc.string({
    unit: fc.constantFrom("\0", "\r", "\n", "a", "\xff"),
    maxLength: 80,
  }),
  fc.nat({ max: 5000 }).map((length) => "0123456789abcdef".repeat(length >> 4)),
);

const extension = fc.constantFrom(
  "",
  "",
  ";a",
  ";a=b",
  '; a = "x;\\"y"',
  " \t;a;b=c",
);
const trailers = fc.constantFrom(
  "",
  "",
  "X: y\r\n",
  "Content-Length: 9\r\nA:\r\n",
);

/** A body in chunks of any sizes, with extensions and trailers. */
function chunksOf(body: string): fc.Arbitrary<string> {
  return fc.record({
    cuts: fc.array(fc.nat({ max: Math.max(body.length, 1) }), { maxLength: 4 }),
    extensions: fc.array(extension, { minLength: 6, maxLength: 6 }),
    zeros: fc.stringMatching(/^0{1,5}$/),
    capitals: fc.boolean(),
    trailers,
  }).map(({ cuts, extensions, zeros, capitals, trailers }) => {
    const parts = cut(body, cuts).filter((part) => part !== "");
    const chunks = parts.map((part, i) => {
      const size = part.length.toString(16);
      return `${capitals ? size.toUpperCase() : size}${
        extensions[i]
      }\r\n${part}\r\n`;
    });
    return `${chunks.join("")}${zeros}${extensions[5]}\r\n${trailers}\r\n`;
  });
}

/** How a body is framed: the line that says so, and the bytes. */
interface Framed {
  readonly line: string;
  readonly body: string;
  readonly bytes: string;
  readonly kind: "length" | "chunked" | "none";
}

const framed: fc.Arbitrary<Framed> = fc.oneof(
  fc.constant<Framed>({ line: "", body: "", bytes: "", kind: "none" }),
  fc.tuple(data, fc.constantFrom("Content-Length", "content-length"), space)
    .map(([body, name, space]): Framed => ({
      line: `${name}:${space}${body.length}\r\n`,
      body,
      bytes: body,
      kind: "length",
    })),
  data.chain((body) =>
    chunksOf(body).map((bytes): Framed => ({
      line: "Transfer-Encoding: Chunked\r\n",
      body,
      bytes,
      kind: "chunked",
    }))
  ),
);

/** A request of HTTP/1.1 that leaves its connection open, or one that ends it. */
export function request(keepAlive: boolean): fc.Arbitrary<RequestModel> {
  return fc.record({
    method,
    path,
    host: fc.constantFrom(...HOSTS, ...HOSTS, ""),
    form: fc.constantFrom("origin", "origin", "absolute"),
    version: keepAlive ? fc.constant("1.1") : fc.constantFrom("1.0", "1.1"),
    lines: fc.array(line, { maxLength: 20 }),
    hop,
    framed,
    named: fc.option(fc.nat()),
    place: fc.nat({ max: 3 }),
    empty: fc.constantFrom("", "", "\r\n"),
  }).map((parts): RequestModel => {
    const { method, path, host, lines, hop, framed, place, empty } = parts;
    const named = nameOf(lines, parts.named);
    // HTTP/1.0 has no chunks (RFC 9112 §6.1).
    const version = framed.kind === "chunked"
      ? "1.1"
      : parts.version as "1.0" | "1.1";
    const absolute = parts.form === "absolute" && host !== "";
    const target = `${absolute ? `http://${host}` : ""}/${path}`;
    const options = [
      ...(named === null ? [] : [named]),
      ...(keepAlive || version === "1.0" ? [] : ["close"]),
    ];
    const own = [
      `Host: ${host}\r\n`,
      ...(options.length === 0
        ? []
        : [`Connection: ${options.join(", ")}\r\n`]),
      hop,
      framed.line,
    ];
    const before = own.slice(0, place + 1);
    const rest = own.slice(place + 1);
    const head = `${method} ${target} HTTP/${version}\r\n`;
    const sent = [...before, ...lines.map(({ line }) => line), ...rest].join(
      "",
    );
    return {
      text: `${empty}${head}${sent}\r\n${framed.bytes}`,
      method,
      target: `/${path}`,
      version,
      fields: [["Host", host], ...shown(lines, named)],
      body: framed.body,
      chunked: framed.kind === "chunked",
      keepAlive,
    };
  });
}

/** A connection's requests: the last one may end it. */
export const requests: fc.Arbitrary<readonly RequestModel[]> = fc.tuple(
  fc.array(request(true), { maxLength: 3 }),
  fc.boolean().chain(request),
).map(([first, last]) => [...first, last]);

/** A response, perhaps without the body that its framing tells of. */
export const response: fc.Arbitrary<ResponseModel> = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "HEAD", "POST"),
  status: fc.oneof(
    fc.constantFrom(200, 204, 304, 103),
    fc.integer({ min: 200, max: 599 }),
  ),
  minor: fc.constantFrom(1, 1, 1, 9),
  reason: value,
  lines: fc.array(line, { maxLength: 20 }),
  hop,
  framed,
  named: fc.option(fc.nat()),
}).map((parts): ResponseModel => {
  const { method, status, minor, reason, lines, hop, framed } = parts;
  const named = nameOf(lines, parts.named);
  const bodiless = status < 200 || status === 204 || status === 304 ||
    method === "HEAD";
  const connection = named === null ? "" : `Connection: ${named}\r\n`;
  const fields = [
    hop,
    connection,
    ...lines.map(({ line }) => line),
    framed.line,
  ];
  const head = `HTTP/1.${minor} ${status} ${reason}\r\n${fields.join("")}\r\n`;
  return {
    text: bodiless ? head : head + framed.bytes,
    method,
    status,
    reason,
    fields: shown(lines, named),
    body: bodiless ? "" : framed.body,
    framing: bodiless ? "none" : framed.kind === "none" ? "end" : framed.kind,
  };
});

/** The name of one of the fields, for Connection to hide it. */
function nameOf(lines: readonly Line[], at: number | null): string | null {
  if (at === null || lines.length === 0) return null;
  return lines[at % lines.length]!.field[0];
}

/** Fields that Connection does not hide. */
function shown(lines: readonly Line[], named: string | null): Field[] {
  return lines.map(({ field }) => field).filter(([name]) =>
    name.toLowerCase() !== named?.toLowerCase()
  );
}

/** Where bytes are cut into reads. */
export const cuts: fc.Arbitrary<readonly number[]> = fc.array(fc.nat(), {
  maxLength: 6,
});

/** The text in pieces, some of them perhaps empty. */
export function cut(text: string, places: readonly number[]): string[] {
  const ends = places.map((place) => place % (text.length + 1))
    .toSorted((a, b) => a - b);
  return [0, ...ends].map((start, i) => text.slice(start, ends[i]));
}
