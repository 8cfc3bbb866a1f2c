/**
 * Each built-in primitive: when it is true, when not, and what it refuses.
 *
 * @module
 */
import { compileCondition } from "../../../core/conditions/compile.ts";
import { ConditionError } from "../../../core/conditions/condition_error.ts";
import { builtinPrimitives } from "../../../core/conditions/primitives.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import {
  FakeRequest,
  type FakeRequestInit,
} from "../../support/fake_request.ts";

const primitives = builtinPrimitives();

/** Condition, requests that it holds for, requests that it does not. */
type Row = readonly [
  string,
  readonly FakeRequestInit[],
  readonly FakeRequestInit[],
];

const host = (host: string) => ({ host });
const path = (target: string) => ({ target });
const header = (...headers: [string, string][]) => ({ headers });
const cookie = (value: string) => header(["cookie", value]);
const client = (clientAddress: string) => ({ clientAddress });
const tags = (...tags: [string, string[]][]) => ({ tags });
const HTTPS: FakeRequestInit = { scheme: "https" };

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
  [
    'req_tag_match("device", "phone")',
    [tags(["device", ["pad", "phone"]]), tags(["device", ["phone:4g"]])],
    [{}, tags(["device", ["phones"]]), tags(["x", ["phone"]])],
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
  [
    'req_cookie_value_suffix_in("a", "v1", false)',
    [cookie("a=x.v1")],
    [cookie("a=v1.x"), {}],
  ],
  [
    'req_cookie_value_contain("a", "v1", false)',
    [cookie("a=x.v1.y")],
    [cookie("a=x"), {}],
  ],
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
  [
    'req_header_value_suffix_in("x-a", "bc", false)',
    [header(["x-a", "abc"])],
    [header(["x-a", "aBC"]), {}],
  ],
  [
    'req_header_value_contain("x-a", "b", false)',
    [header(["x-a", "abc"])],
    [header(["x-a", "aBc"]), {}],
  ],
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
    "req_ua_regmatch(`(?i)curl/[78]`)",
    [header(["user-agent", "Curl/8.5"])],
    [header(["user-agent", "wget"]), {}],
  ],
];

const ALL_ROWS = [
  ...REQUEST_ROWS,
  ...PATH_ROWS,
  ...QUERY_ROWS,
  ...COOKIE_ROWS,
  ...HEADER_ROWS,
];

for (const [text, matching, others] of ALL_ROWS) {
  Deno.test(`${text} is true where it says so only`, () => {
    const condition = compileCondition(text, primitives);
    const negated = compileCondition(`!${text}`, primitives);
    for (
      const [inits, expected] of [[matching, true], [others, false]] as const
    ) {
      for (const init of inits) {
        const request = new FakeRequest(init);
        assertEquals(condition(request), expected, JSON.stringify(init));
        assertEquals(negated(request), !expected, JSON.stringify(init));
      }
    }
  });
}

Deno.test("builtinPrimitives has no primitive without a row of tests", () => {
  const tested = new Set(ALL_ROWS.map(([text]) => text.split("(")[0]));
  assertEquals([...primitives.keys()].filter((name) => !tested.has(name)), []);
});

Deno.test("hash_in ignores case only where told so", () => {
  // murmur3 of "hello" is 0xcbd8a7b341bd9b02: bucket 6642.
  const bucket = Number(0xcbd8a7b341bd9b02n % 10_000n);
  const test = (value: string, ignoreCase: boolean) =>
    compileCondition(
      `req_query_value_hash_in("k", "${bucket}", ${ignoreCase})`,
      primitives,
    )(new FakeRequest({ target: `/?k=${value}` }));
  assert(test("hello", false));
  assert(test("HELLO", true));
  assert(!test("HELLO", false));
});

Deno.test("conditions follow a request that a handler changes", () => {
  const condition = compileCondition('req_path_in("/b", false)', primitives);
  const request = new FakeRequest({ target: "/a" });
  assert(!condition(request));
  request.path = "/b";
  assert(condition(request));
});

/** Condition, what the refusal says. */
const REFUSALS: readonly (readonly [string, string])[] = [
  [
    'req_host_in("a.com:80")',
    'Cannot use req_host_in at offset 0: A host must be a name or an address without a port: current value is "a.com:80"',
  ],
  ['req_host_in("[::1]:80")', 'current value is "[::1]:80"'],
  ['req_host_in("a.com|")', 'current value is ""'],
  [
    'req_port_in("80|http")',
    'A port must be a number from 0 to 65535: current value is "http"',
  ],
  ['req_port_in("65536")', 'current value is "65536"'],
  [
    'req_path_prefix_in("/a|", false)',
    'A list must not have an empty element: current value is "/a|"',
  ],
  ['req_path_contain("", true)', "A list must not have an empty element"],
  ['req_query_key_prefix_in("")', "A list must not have an empty element"],
  [
    'req_cip_range("10.0.0.1", "10.0.0.256")',
    'The ends of a range must be IP addresses: current value is "10.0.0.256"',
  ],
  [
    'req_cip_range("10.0.0.1", "::1")',
    "must be of one family: current values are 10.0.0.1 and ::1",
  ],
  [
    'req_cip_range("10.0.0.2", "10.0.0.1")',
    "A range must not end before it begins",
  ],
  [
    'req_cookie_value_hash_in("a", "0-10000", false)',
    'from 0 to 9999, such as 0-99: current value is "0-10000"',
  ],
  ['req_cookie_value_hash_in("a", "9-1", false)', 'current value is "9-1"'],
  ['req_cookie_value_hash_in("a", "1|", false)', 'current value is ""'],
  [
    'req_header_value_in("x a", "1", false)',
    'A header field\'s name must be a token: current value is "x a"',
  ],
];

for (const [text, message] of REFUSALS) {
  Deno.test(`${text} is refused at load`, () => {
    const error = assertThrows(
      () => compileCondition(text, primitives),
      ConditionError,
    );
    assertStringIncludes(error.message, message);
  });
}
