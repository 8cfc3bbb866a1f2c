/**
 * Each primitive on requests: when it is true and when not.
 *
 * @module
 */
import type { FakeRequestInit } from "../../support/fake_request.ts";

/** Condition, requests that it holds for, requests that it does not. */
export type Row = readonly [
  string,
  readonly FakeRequestInit[],
  readonly FakeRequestInit[],
];

/** The hosts of the product that the conditions stand in. */
export const PRODUCT_HOSTS = [
  "shop.example.com",
  "*.example.com",
  "*.shop.example.com",
  "[2001:db8::1]",
];

const host = (host: string) => ({ host });
const path = (target: string) => ({ target });
const header = (...headers: [string, string][]) => ({ headers });
const cookie = (value: string) => header(["cookie", value]);
const client = (clientAddress: string) => ({ clientAddress });
const tags = (...tags: [string, string[]][]) => ({ tags });
const HTTPS: FakeRequestInit = { scheme: "https" };
const H2: FakeRequestInit = { scheme: "https", version: "2" };
const WEBSOCKET = header(["upgrade", "WebSocket"]);
const remote = (remote: string) => ({ remote });
const local = (local: string) => ({ local });
const sni = (serverName: string | undefined) => ({ tls: { serverName } });
const certificate = (issuer: string) => ({
  tls: {
    clientCertificate: {
      subject: "CN=alice",
      issuer,
      names: [],
      serialNumber: "01",
      fingerprint: "",
      notBefore: 0,
      notAfter: 0,
    },
  },
});
const data = (...data: [unknown, unknown][]) => ({ data });

const json = (json: unknown) => ({ json });

const REQUEST_ROWS: readonly Row[] = [
  ["default_t()", [{}, path("*")], []],
  [
    'req_host_in("Example.COM|b.org")',
    [host("example.com"), host("B.org:8080")],
    [host("a.example.com"), host("")],
  ],
  ['req_host_in("example.com")', [host("EXAMPLE.com:1")], [host("x")]],
  ['req_host_in("[2001:DB8::1]")', [host("[2001:db8::1]:80")], [host("x")]],
  ['req_host_in("2001:db8::1")', [host("[2001:db8::1]")], [host("x")]],
  ['req_host_in("[2001:db8:0:0::1]")', [host("[2001:DB8::1]")], [host("x")]],
  ['req_host_in("a.org")', [host("a.org."), host("a.org.:80")], [host("a")]],
  ['req_host_in("a.org.")', [host("a.org")], [host("a.org.de")]],
  ['req_host_in("bücher.example")', [host("xn--bcher-kva.example")], [{}]],
  [
    'req_host_tag_in("*.Example.com|[2001:DB8:0::1]")',
    [host("a.example.com"), host("a.b.example.com:80"), host("[2001:db8::1]")],
    [
      host("shop.example.com"),
      host("a.shop.example.com"),
      host("example.com"),
      host("b.org"),
    ],
  ],
  [
    'req_host_tag_in("shop.example.com.|*.shop.example.com")',
    [host("shop.example.com"), host("x.y.shop.example.com")],
    [host("a.example.com"), host(".shop.example.com"), host("")],
  ],
  [
    'req_host_suffix_in(".Example.com|.org")',
    [host("a.example.com"), host("A.ORG:1")],
    [host("example.com"), host("a.example.com.de")],
  ],
  [
    "req_host_regmatch(`^WWW\\d?\\.`)",
    [host("www.a"), host("WWW2.a")],
    [host("a.www.")],
  ],
  [
    'req_port_in("80|8080")',
    [host("a"), host("a:80"), host("a:8080"), { ...HTTPS, host: "a:80" }],
    [host("a:81"), { ...HTTPS, host: "a" }],
  ],
  ['req_port_in("443")', [HTTPS, host("a:443")], [{}]],
  [
    'req_method_in("GET|post")',
    [{}, { method: "POST" }, { method: "get" }],
    [{ method: "PUT" }],
  ],
  ["req_proto_secure()", [HTTPS], [{}]],
  [
    'req_proto_match("https")',
    [HTTPS, { ...HTTPS, ...WEBSOCKET }, { ...HTTPS, version: "1.0" }],
    [H2, {}, WEBSOCKET],
  ],
  ['req_proto_match("H2")', [H2], [HTTPS, { version: "2" }]],
  [
    'req_proto_match("wss")',
    [{ ...HTTPS, ...WEBSOCKET }],
    [HTTPS, WEBSOCKET, { ...H2, ...WEBSOCKET }],
  ],
  ['req_proto_match("HTTP/1.1")', [{}, WEBSOCKET], [HTTPS, { version: "2" }]],
  ['req_proto_match("http/1.0")', [{ version: "1.0" }], [{}, HTTPS]],
  ['req_proto_match("HTTP/2.0")', [{ version: "2" }], [{}, H2]],
  ["req_cip_trusted()", [{ trusted: true }], [{}]],
  [
    'req_cip_range("10.0.0.9", "10.0.1.2")',
    [client("10.0.0.9"), client("10.0.1.2"), client("::ffff:10.0.0.200")],
    [client("10.0.0.8"), client("10.0.1.3"), client("::1"), client("")],
  ],
  [
    'req_cip_range("2001:db8::", "2001:db8::ff")',
    [client("2001:db8::a"), client("2001:DB8:0:0::FF")],
    [client("2001:db8::100"), client("10.0.0.1"), client("unix")],
  ],
  ['req_cip_hash_in("0-9999")', [{}, client("::1")], [client("unix")]],
  // The buckets of "192.0.2.1" and "2001:db8::1", in whatever spelling.
  [
    'req_cip_hash_in("1461")',
    [{}, client("::ffff:192.0.2.1"), client("::FFFF:C000:201")],
    [client("192.0.2.2")],
  ],
  [
    'req_cip_hash_in("1|4624")',
    [client("2001:db8::1"), client("2001:DB8:0::0:1"), client("2001:db8::1%1")],
    [client("2001:db8::2")],
  ],
  [
    'req_tag_match("device", "phone")',
    [tags(["device", ["pad", "phone"]]), tags(["device", ["phone:4g"]])],
    [{}, tags(["device", ["phones"]]), tags(["x", ["phone"]])],
  ],
  [
    'req_context_value_in("cmd", "add|del", false)',
    [data(["cmd", "add"]), data(["x", "y"], ["cmd", "del"])],
    [{}, data(["cmd", "ADD"]), data(["cmd", 1]), data([Symbol("cmd"), "add"])],
  ],
  [
    'req_context_value_in("cmd", "Add", true)',
    [data(["cmd", "aDD"])],
    [data(["CMD", "add"]), data(["cmd", ["add"]])],
  ],
];

const SESSION_ROWS: readonly Row[] = [
  [
    'ses_sip_range("10.0.0.0", "10.0.0.255")',
    [remote("10.0.0.7"), { ...remote("10.0.0.0"), clientAddress: "1.1.1.1" }],
    [client("10.0.0.7"), remote("10.0.1.0"), remote("/run/x.sock")],
  ],
  [
    'ses_vip_range("192.0.2.8", "192.0.2.9")',
    [{}, local("192.0.2.8")],
    [local("192.0.2.10"), local("::1"), {
      ...remote("192.0.2.8"),
      ...local("192.0.2.7"),
    }],
  ],
  [
    'req_vip_range("2001:db8::", "2001:db8::f")',
    [local("2001:db8::1")],
    [{}, local("2001:db8::10")],
  ],
  [
    'req_vip_in("192.0.2.1|2001:DB8::1")',
    [local("192.0.2.1"), local("::ffff:192.0.2.1"), local("2001:db8:0::1")],
    [{}, local("192.0.2.2"), local("/run/x.sock")],
  ],
  [
    'ses_tls_sni_in("Shop.example.com|bücher.example")',
    [sni("shop.example.com"), sni("SHOP.example.com."), {
      ...sni("xn--bcher-kva.example"),
      ...host("other.example"),
    }],
    [{}, host("shop.example.com"), sni("a.shop.example.com"), sni(undefined)],
  ],
  [
    "ses_tls_client_auth()",
    [certificate("CN=Root")],
    [{}, sni("shop.example.com"), HTTPS],
  ],
  [
    'ses_tls_client_ca_in("CN=Root|CN=Staff,O=Example")',
    [certificate("CN=Root"), certificate("CN=Staff,O=Example")],
    [{}, certificate("CN=root"), certificate("CN=Staff"), sni("CN=Root")],
  ],
];

const PATH_ROWS: readonly Row[] = [
  [
    'req_path_in("/a|/b", false)',
    [path("/a"), path("/b?x=1"), path("/%61")],
    [path("/A"), path("/a/"), path("/ab")],
  ],
  ['req_path_in("/Ab", true)', [path("/aB")], [path("/a")]],
  [
    'req_path_prefix_in("/api/|/v1", false)',
    [path("/api/x"), path("/v1"), path("/v12")],
    [path("/api"), path("/API/x"), path("/x/api/")],
  ],
  ['req_path_prefix_in("/API/", true)', [path("/api/x")], [path("/ap")]],
  [
    'req_path_prefix_in("/admin", false)',
    [path("/%61dmin/x"), path("/%61%64min")],
    [path("/%2561dmin"), path("/%6gadmin")],
  ],
  [
    'req_path_suffix_in(".js|.css", false)',
    [path("/a.js"), path("/a.css?b")],
    [path("/a.JS"), path("/a?x=.js")],
  ],
  ['req_path_suffix_in(".JS", true)', [path("/a.js")], [path("/js")]],
  [
    'req_path_contain("/b/|é", false)',
    [path("/a/b/c"), path("/caf%C3%A9")],
    [path("/a/B/c"), path("/?/b/")],
  ],
  ['req_path_contain("/B/", true)', [path("/a/b/c")], [path("/a/b")]],
  [
    'req_path_element_prefix_in("/a/b|/c/", false)',
    [path("/a/b"), path("/a/b/"), path("/a/b/x?y"), path("/c")],
    [path("/a/bc"), path("/a"), path("/C/x"), path("*")],
  ],
  ['req_path_element_prefix_in("/", false)', [path("/x")], [path("*")]],
  ['req_path_element_prefix_in("/A", true)', [path("/a/x")], [path("/ab")]],
  [
    "req_path_regmatch(`^/v\\d+/`)",
    [path("/v1/"), path("/v%31/x")],
    [path("/v/"), path("/x?/v1/")],
  ],
  [
    "req_url_regmatch(`/a%20b\\?x=`)",
    [path("/a%20b?x=1")],
    [path("/a b?x=1"), path("/a%20b")],
  ],
];

const QUERY_ROWS: readonly Row[] = [
  [
    "req_query_exist()",
    [path("/?a"), path("/?=1"), path("/?&a=")],
    [{}, path("/?"), path("/?&&")],
  ],
  [
    'req_query_key_in("a|b c")',
    [path("/?a"), path("/?x=1&a=2"), path("/?b+c=1"), path("/?b%20c")],
    [{}, path("/?A"), path("/?x=a"), path("/?aa=1"), path("/a?")],
  ],
  [
    'req_query_key_prefix_in("utm_|x")',
    [path("/?utm_source=1"), path("/?a=1&x")],
    [path("/?a=utm_"), path("/?utm=1"), {}],
  ],
  [
    'req_query_value_in("k", "a b|c", false)',
    [path("/?k=a+b"), path("/?x=1&k=c"), path("/?k=c&k=d")],
    [path("/?k=C"), path("/?k="), path("/?j=c"), path("/?k=d&k=c"), {}],
  ],
  ['req_query_value_in("k", "", false)', [path("/?k="), path("/?k")], [{}]],
  ['req_query_value_in("k", "C", true)', [path("/?k=c")], [path("/?K=c")]],
  [
    'req_query_value_prefix_in("k", "ab|x", false)',
    [path("/?k=abc"), path("/?k=x")],
    [path("/?k=ABc"), path("/?k=a"), {}],
  ],
  ['req_query_value_prefix_in("k", "AB", true)', [path("/?k=abc")], [{}]],
  [
    'req_query_value_suffix_in("k", "bc|x", false)',
    [path("/?k=abc"), path("/?k=x")],
    [path("/?k=aBC"), path("/?k=b"), {}],
  ],
  ['req_query_value_suffix_in("k", "BC", true)', [path("/?k=abc")], [{}]],
  [
    'req_query_value_contain("k", "b|x", false)',
    [path("/?k=abc"), path("/?k=x")],
    [path("/?k=aBc"), {}],
  ],
  ['req_query_value_contain("k", "B", true)', [path("/?k=abc")], [{}]],
  [
    'req_query_value_regmatch("k", `^\\d+$`)',
    [path("/?k=12")],
    [path("/?k=1x"), path("/?k="), {}],
  ],
  ['req_query_value_hash_in("k", "0-9999", false)', [path("/?k=")], [{}]],
];

const COOKIE_ROWS: readonly Row[] = [
  [
    'req_cookie_key_in("sid|uid")',
    [cookie("a=1; uid=2"), cookie("sid=")],
    [{}, cookie("asid=1"), cookie("a=sid")],
  ],
  [
    'req_cookie_value_in("a", "1|2", false)',
    [cookie("a=1"), cookie("b=3; a=2")],
    [{}, cookie("a=3"), cookie("b=1")],
  ],
  ['req_cookie_value_in("a", "X", true)', [cookie("a=x")], [cookie("A=x")]],
  [
    'req_cookie_value_prefix_in("a", "v1", false)',
    [cookie("a=v1.x")],
    [cookie("a=V1.x"), {}],
  ],
  ['req_cookie_value_prefix_in("a", "V1", true)', [cookie("a=v1.x")], [{}]],
  [
    'req_cookie_value_suffix_in("a", "v1", false)',
    [cookie("a=x.v1")],
    [cookie("a=v1.x"), {}],
  ],
  ['req_cookie_value_suffix_in("a", "V1", true)', [cookie("a=x.v1")], [{}]],
  [
    'req_cookie_value_contain("a", "v1", false)',
    [cookie("a=x.v1.y")],
    [cookie("a=x"), cookie("a=x.V1.y"), {}],
  ],
  ['req_cookie_value_contain("a", "V1", true)', [cookie("a=x.v1.y")], [{}]],
  ['req_cookie_value_hash_in("a", "0-9999", true)', [cookie("a=x")], [{}]],
];

const HEADER_ROWS: readonly Row[] = [
  [
    'req_header_key_in("X-A|x-b")',
    [header(["x-a", "1"]), header(["X-B", "1"])],
    [{}, header(["x-a", ""]), header(["x-c", "1"])],
  ],
  [
    'req_header_value_in("X-A", "1|a, b", false)',
    [header(["x-a", "1"]), header(["x-a", "a, b"])],
    [{}, header(["x-a", "2"]), header(["x-a", ""])],
  ],
  [
    'req_header_value_in("x-a", "1", false)',
    [header(["x-a", "1"], ["x-a", "2"])],
    [header(["x-a", "2"], ["x-a", "1"])],
  ],
  ['req_header_value_in("x-a", "Y", true)', [header(["x-a", "y"])], [{}]],
  ['req_header_value_in("x-a", "", false)', [], [{}, header(["x-a", ""])]],
  [
    'req_header_value_prefix_in("x-a", "ab", false)',
    [header(["x-a", "abc"])],
    [header(["x-a", "ABc"]), {}],
  ],
  ['req_header_value_prefix_in("x-a", "AB", true)', [header(["x-a", "abc"])], [
    {},
  ]],
  [
    'req_header_value_suffix_in("x-a", "bc", false)',
    [header(["x-a", "abc"])],
    [header(["x-a", "aBC"]), {}],
  ],
  ['req_header_value_suffix_in("x-a", "BC", true)', [header(["x-a", "abc"])], [
    {},
  ]],
  [
    'req_header_value_contain("x-a", "b", false)',
    [header(["x-a", "abc"])],
    [header(["x-a", "aBc"]), {}],
  ],
  ['req_header_value_contain("x-a", "B", true)', [header(["x-a", "abc"])], [
    {},
  ]],
  [
    'req_header_value_regmatch("x-a", `^[a-f]+$`)',
    [header(["x-a", "abc"])],
    [header(["x-a", "xyz"]), {}],
  ],
  ['req_header_value_regmatch("x-a", `^$`)', [], [{}]],
  [
    'req_header_value_hash_in("x-a", "0-9999", true)',
    [header(["x-a", "abc"])],
    [{}],
  ],
  [
    'req_body_json_in("model", "small|large", false)',
    [json({ model: "large" }), json({ model: "small", x: 1 })],
    [
      json({ model: "Small" }),
      json({ x: { model: "small" } }),
      json("small"),
      {},
    ],
  ],
  [
    'req_body_json_in("model", "SMALL", true)',
    [json({ model: "Small" })],
    [json({ model: "s" })],
  ],
  [
    'req_body_json_in("messages.1.role", "user", false)',
    [json({ messages: [{ role: "system" }, { role: "user" }] })],
    [json({ messages: [{ role: "user" }] }), json({ messages: "user" })],
  ],
  [
    'req_body_json_in("n", "1.5|true|0", false)',
    [json({ n: 1.5 }), json({ n: true }), json({ n: 0 }), json({ n: "0" })],
    [json({ n: null }), json({ n: [0] }), json({ n: {} }), json({})],
  ],
  [
    'req_body_json_in("a\\\\.b", "x", false)',
    [json({ "a.b": "x" })],
    [json({ a: { b: "x" } })],
  ],
  ['req_body_json_in("a.length", "1", false)', [], [json({ a: ["x"] })]],
  ['req_body_json_in("a.0", "x", false)', [json({ a: ["x"] })], [
    json({ a: "x" }),
  ]],
  [
    'req_body_json_in("constructor.name", "Object", false)',
    [],
    [json({})],
  ],
  [
    'req_body_json_prefix_in("model", "gpt-|o1", false)',
    [json({ model: "gpt-4" }), json({ model: "o1" })],
    [json({ model: "Gpt-4" }), json({ model: 1 })],
  ],
  [
    'req_body_json_prefix_in("model", "GPT-", true)',
    [json({ model: "gpt-4" })],
    [json([])],
  ],
  [
    "req_ua_regmatch(`(?i)curl/[78]`)",
    [header(["user-agent", "Curl/8.5"])],
    [header(["user-agent", "wget"]), {}],
  ],
];

/** A time of a clock that conditions go by. */
export interface TimedRequest extends FakeRequestInit {
  readonly time: string;
}

const at = (time: string): TimedRequest => ({ time });

/** Condition, times that it holds at, times that it does not. */
export const TIME_ROWS: readonly (readonly [
  string,
  readonly TimedRequest[],
  readonly TimedRequest[],
])[] = [
  [
    'bfe_time_range("20190204203000H", "20190204204500H")',
    [
      at("2019-02-04T12:30:00Z"),
      at("2019-02-04T12:44:59.999Z"),
      at("2019-02-04T12:45:00.999Z"),
    ],
    [
      at("2019-02-04T12:29:59.999Z"),
      at("2019-02-04T12:45:01Z"),
      at("2019-02-04T20:35:00Z"),
      // BFE takes the time from here, from any client.
      {
        ...at("2026-01-01T00:00:00Z"),
        ...header(["X-Bfe-Debug-Time", "20190204203000H"]),
      },
    ],
  ],
  [
    'bfe_time_range("20240229000000Z", "20240229235959Z")',
    [at("2024-02-29T00:00:00Z"), at("2024-02-29T23:59:59.999Z")],
    [at("2024-03-01T00:00:00Z"), at("2024-02-28T23:59:59.999Z")],
  ],
  [
    'bfe_time_range("20231231190000R", "20231231190000R")',
    [at("2024-01-01T00:00:00.500Z")],
    [at("2023-12-31T19:00:00Z")],
  ],
  [
    'bfe_periodic_time_range("203000H", "204500H", "")',
    [
      at("2019-02-04T12:30:00Z"),
      at("2031-07-19T12:45:00.999Z"),
      at("1969-12-31T12:31:00Z"),
    ],
    [
      at("2019-02-04T12:29:59.999Z"),
      at("2019-02-04T12:45:01Z"),
      {
        ...at("2019-02-04T00:00:00Z"),
        ...header(["X-Bfe-Debug-Time", "20190204203000H"]),
      },
    ],
  ],
  [
    'bfe_periodic_time_range("000000N", "235959N", "")',
    [at("2024-01-01T00:59:59Z"), at("2024-01-01T01:00:00Z")],
    [],
  ],
  [
    'bfe_periodic_time_range("000000Y", "005959Y", "")',
    [at("2024-01-01T12:00:00Z"), at("2024-01-01T12:59:59.999Z")],
    [at("2024-01-01T13:00:00Z"), at("2024-01-01T11:59:59Z")],
  ],
];

/** Facts of a response that a condition is asked about. */
export interface ResponseFacts {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const field = (name: string, value: string): ResponseFacts => ({
  headers: { [name]: value },
});

/** Condition, responses that it holds for, responses that it does not. */
export const RESPONSE_ROWS: readonly (readonly [
  string,
  readonly ResponseFacts[],
  readonly ResponseFacts[],
])[] = [
  [
    'res_code_in("404|500")',
    [{ status: 404 }, { status: 500 }],
    [{}, { status: 403 }],
  ],
  [
    'res_header_key_in("X-A|set-cookie")',
    [field("x-a", "1"), field("Set-Cookie", "a=1")],
    [{}, field("x-a", ""), field("x-b", "x-a")],
  ],
  [
    'res_header_value_in("Content-Type", "text/html|a, b", false)',
    [field("content-type", "text/html"), field("content-type", "a, b")],
    [{}, field("content-type", "Text/HTML"), field("x-a", "text/html")],
  ],
  [
    'res_header_value_in("x-a", "Y", true)',
    [field("x-a", "y")],
    [field("x-a", "")],
  ],
  // A condition on a response may ask for its request.
  [
    'req_method_in("GET") && res_code_in("200")',
    [{ status: 200 }],
    [{ status: 204 }],
  ],
];

/** All rows on requests. */
export const REQUEST_TABLE: readonly Row[] = [
  ...REQUEST_ROWS,
  ...SESSION_ROWS,
  ...PATH_ROWS,
  ...QUERY_ROWS,
  ...COOKIE_ROWS,
  ...HEADER_ROWS,
];
