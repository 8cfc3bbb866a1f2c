/**
 * The request as plugins and conditions read and change it.
 *
 * @module
 */
import { splitHost } from "../../../core/net/host_name.ts";
import fc from "fast-check";
import { ListFields } from "../../../core/message/list_fields.ts";
import type { RequestHead } from "../../../core/message/head.ts";
import { Request, type RequestContext } from "../../../core/session/request.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { fakeTransaction } from "../../../core/testing/views.ts";

interface Facts {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly bodyLength?: number;
}

function requestOf(facts: Facts = {}): Request {
  const view = fakeTransaction();
  const context: RequestContext = {
    view,
    signal: view.signal,
    scheme: "http",
    clientAddress: "192.0.2.1",
    trusted: false,
    authorized: false,
    product: undefined,
    cluster: undefined,
    buffered: undefined,
    splitHost,
  };
  const fields = new ListFields(facts.headers ?? []);
  const head: RequestHead = {
    method: facts.method ?? "GET",
    version: "1.1",
    target: facts.target ?? "/",
    fields,
    received: [...fields],
    host: fields.first("host"),
    bodyLength: facts.bodyLength ?? 0,
    takesTrailers: false,
    asksProxy: false,
    authorized: false,
    expectsContinue: false,
    upgrade: undefined,
  };
  return new Request(context, head, fields);
}

// ---------------------------------------------------------------------- hosts

/** Host, host, port. */
const HOSTS: readonly (readonly [string, string, number | undefined])[] = [
  ["example.com", "example.com", undefined],
  ["EXAMPLE.com:8080", "example.com", 8080],
  ["example.com.:80", "example.com", 80],
  ["example.com:", "example.com", undefined],
  ["", "", undefined],
  ["10.0.0.1:65535", "10.0.0.1", 65_535],
  ["[::1]", "::1", undefined],
  ["[0:0::1]:443", "::1", 443],
  ["[::1]:", "::1", undefined],
  ["[2001:DB8::A]:0", "2001:db8::a", 0],
  ["xn--mller-kva.example", "xn--mller-kva.example", undefined],
];

for (const [field, host, port] of HOSTS) {
  Deno.test(`Request tells host and port of ${JSON.stringify(field)}`, () => {
    const request = requestOf({ headers: [["Host", field]] });

    assertEquals([request.host, request.port], [host, port]);
  });
}

Deno.test("Request has an empty host where there is no Host", () => {
  const request = requestOf();

  assertEquals([request.host, request.port], ["", undefined]);
});

Deno.test("Request tells the Host that a handler set", () => {
  const request = requestOf({ headers: [["Host", "a.example:81"]] });
  assertEquals(request.host, "a.example");
  request.headers.set("host", "B.example");

  assertEquals([request.host, request.port], ["b.example", undefined]);
});

Deno.test("Request survives a Host that no client could have sent, and no handler can set", () => {
  for (
    const field of ["[", "[::1", "[zz]:80x", "a:b:c", "a:99999999", "a b", "]"]
  ) {
    const request = requestOf({ headers: [["host", field]] });

    assertThrows(
      () => request.headers.set("host", field),
      TypeError,
      "must be a host with or without a port",
    );
    const { host, port } = request;
    assertEquals(typeof host, "string");
    assert(port === undefined || Number.isInteger(port), `${port}`);
  }
});

Deno.test("Request tells host and port as URL does", () => {
  const name = fc.oneof(
    fc.domain(),
    fc.domain().map((domain) => domain.toUpperCase()),
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
  );
  const port = fc.option(fc.integer({ min: 1, max: 65_535 }), {
    nil: undefined,
  });
  fc.assert(
    fc.property(name, port, (name, port) => {
      const field = port === undefined ? name : `${name}:${port}`;
      const request = requestOf({ headers: [["host", field]] });
      const { hostname } = new URL(`http://${field}`);
      assertEquals(request.host, hostname.replace(/^\[(.*)\]$/, "$1"));
      assertEquals(request.port, port);
    }),
  );
});

// -------------------------------------------------------------------- targets

Deno.test("Request splits the target at its first question mark", () => {
  const rows = [
    ["/", "/", ""],
    ["/a?", "/a", ""],
    ["/a?b=c", "/a", "b=c"],
    ["/a?b?c", "/a", "b?c"],
    ["/?", "/", ""],
    ["//a//b/../c", "//a//b/../c", ""],
    ["/%2e%2F?%3f", "/%2e%2F", "%3f"],
    ["*", "*", ""],
  ] as const;
  for (const [target, path, query] of rows) {
    const request = requestOf({ target });
    assertEquals([request.target, request.path, request.query], [
      target,
      path,
      query,
    ]);
  }
});

/** Paths and queries that URL does not respell. */
const parts = fc.tuple(fc.webPath(), fc.webQueryParameters()).filter(
  ([path, query]) => {
    const url = `http://h${path || "/"}?${query}`;
    return path.startsWith("/") && query !== "" && new URL(url).href === url;
  },
);

Deno.test("Request splits the target as URL does", () => {
  fc.assert(
    fc.property(parts, ([path, query]) => {
      const request = requestOf({ target: `${path}?${query}` });
      const url = new URL(`http://h${path}?${query}`);
      assertEquals(request.path, url.pathname);
      assertEquals(`?${request.query}`, url.search);
    }),
  );
});

Deno.test("Request keeps the one when the other of path and query is set", () => {
  fc.assert(
    fc.property(parts, parts, ([path, query], [otherPath, otherQuery]) => {
      const request = requestOf({ target: `${path}?${query}` });
      request.path = otherPath;
      assertEquals(request.target, `${otherPath}?${query}`);
      request.query = otherQuery;
      assertEquals(request.target, `${otherPath}?${otherQuery}`);
      request.query = "";
      assertEquals(request.target, otherPath);
    }),
  );
});

Deno.test("Request refuses targets that can't be sent", () => {
  const request = requestOf({ target: "/a" });
  for (
    const target of [
      "",
      "a",
      "/ b",
      "/\r\nx: y",
      "/#f",
      "/é",
      "http://h/",
      "**",
    ]
  ) {
    assertThrows(() => request.target = target, TypeError, "target");
  }
  assertThrows(() => request.path = "/b?c", TypeError, "must not hold");
  assertThrows(() => request.path = "b", TypeError, "target");
  assertThrows(() => request.query = "a b", TypeError, "target");

  assertEquals(request.target, "/a");
});

Deno.test("Request.method takes tokens only, case kept", () => {
  const request = requestOf({ method: "PoSt" });
  assertEquals(request.method, "PoSt");
  request.method = "PURGE";
  assertThrows(() => request.method = "GET /", TypeError);
  assertThrows(() => request.method = "", TypeError);

  assertEquals(request.method, "PURGE");
});

// -------------------------------------------------------- cookies, parameters

Deno.test("Request.cookie finds the first of a name over all Cookie fields", () => {
  const request = requestOf({
    headers: [
      ["Cookie", "a=1; b=2;c=3 ; a=4"],
      ["Cookie", 'd="5"; e=6=7; f=; =8; g'],
    ],
  });
  const values = ["a", "b", "c", "d", "e", "f", "g", "A"]
    .map((name) => request.cookie(name));

  assertEquals(values, ["1", "2", "3", "5", "6=7", "", undefined, undefined]);
});

Deno.test("Request.parameter tells what URLSearchParams does", () => {
  fc.assert(
    fc.property(fc.webQueryParameters(), fc.string(), (query, name) => {
      const request = requestOf({ target: `/?${query}` });
      const all = new URLSearchParams(query);
      for (const one of [...all.keys(), name]) {
        assertEquals(request.parameter(one), all.get(one) ?? undefined);
      }
    }),
  );
});

Deno.test("Request.parameter decodes escapes and plus signs", () => {
  const request = requestOf({ target: "/?a=b+c%26d&a=2&e&%66=g&h=%zz" });
  const values = ["a", "e", "f", "h", "i"]
    .map((name) => request.parameter(name));

  assertEquals(values, ["b c&d", "", "g", "%zz", undefined]);
});

// ---------------------------------------------------------------------- rest

Deno.test("Request.body tells whether there is one and its declared length", () => {
  const bodies = [0, 7, -1].map((bodyLength) => requestOf({ bodyLength }).body);

  assertEquals(bodies.map(({ present, length }) => ({ present, length })), [
    { present: false, length: 0 },
    { present: true, length: 7 },
    { present: true, length: undefined },
  ]);
});

Deno.test("Request.copy shows what was changed before, and none of what is changed after", () => {
  const request = requestOf({ target: "/a", headers: [["x-a", "1"]] });
  request.method = "PUT";
  request.target = "/b";
  const copy = request.copy();
  copy.method = "POST";
  copy.target = "/c";
  copy.headers.set("x-a", "2");

  assertEquals([request.method, request.target], ["PUT", "/b"]);
  assertEquals(request.headers.get("x-a"), "1");
  assertEquals([copy.method, copy.target], ["POST", "/c"]);
  assertEquals(copy.headers.get("x-a"), "2");
});

Deno.test("Request.body.json: JSON by what the head says, and only once it is buffered", () => {
  const type = (type: string, ...more: [string, string][]) =>
    requestOf({
      bodyLength: 2,
      headers: [["content-type", type], ...more],
    }).body;
  for (
    const one of [
      "application/json",
      "Application/JSON;charset=utf-8",
      "application/problem+json",
      "text/json ; x=y",
    ]
  ) assertThrows(() => type(one).json(), TypeError, "is buffered from");
  assertThrows(
    () => type("application/json", ["content-encoding", "identity"]).json(),
    TypeError,
  );
  for (
    const one of [
      "",
      "json",
      "/json",
      "application/jsonp",
      "application/xjson",
      "text/plain, application/json",
      "text/plain;a/json",
    ]
  ) assertEquals(type(one).json(), undefined, one);
  assertEquals(
    type("application/json", ["content-encoding", "gzip"]).json(),
    undefined,
  );
  const empty = requestOf({ headers: [["content-type", "application/json"]] });
  assertEquals(empty.body.json(), undefined);
});

Deno.test("Request is authorized by its field, or by a handler's word for good", () => {
  const asked = requestOf({ headers: [["Authorization", "Basic eDp5"]] });
  assert(asked.authorized);
  const request = requestOf();
  const copy = request.copy();
  assert(!request.authorized);
  copy.authorized = true;
  assert(request.authorized);
  assertThrows(
    () => Object.assign(request, { authorized: false }),
    TypeError,
    "anything but true",
  );
  assert(request.authorized);
});
