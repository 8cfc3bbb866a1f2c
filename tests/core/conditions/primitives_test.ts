/**
 * Each built-in primitive: when it is true, when not, and what it refuses.
 *
 * @module
 */
import {
  compileCondition,
  compileResponseCondition,
} from "../../../core/conditions/compile.ts";
import { ConditionError } from "../../../core/conditions/condition_error.ts";
import { builtinPrimitives } from "../../../core/conditions/primitives.ts";
import type { HttpResponse } from "../../../core/plugin.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";
import { FakeRequest } from "../../support/fake_request.ts";
import { FakeFields } from "../../../core/testing/views.ts";
import {
  PRODUCT_HOSTS,
  REQUEST_TABLE,
  RESPONSE_ROWS,
  type ResponseFacts,
  TIME_ROWS,
} from "./primitive_rows.ts";

let now = 0;
const primitives = builtinPrimitives({ wall: () => now });
const place = { hosts: PRODUCT_HOSTS };

for (const [text, matching, others] of REQUEST_TABLE) {
  Deno.test(`${text} is true where it says so only`, () => {
    const condition = compileCondition(text, primitives, place).test;
    const negated = compileCondition(`!${text}`, primitives, place).test;
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

for (const [text, matching, others] of TIME_ROWS) {
  Deno.test(`${text} is true at its times only, whatever a client says`, () => {
    const condition = compileCondition(text, primitives).test;
    for (
      const [inits, expected] of [[matching, true], [others, false]] as const
    ) {
      for (const { time, ...init } of inits) {
        now = Date.parse(time);
        assertEquals(condition(new FakeRequest(init)), expected, time);
      }
    }
  });
}

for (const [text, matching, others] of RESPONSE_ROWS) {
  Deno.test(`${text} is true for its responses only`, () => {
    const condition = compileResponseCondition(text, primitives).test;
    const negated = compileResponseCondition(`!(${text})`, primitives).test;
    const request = new FakeRequest();
    for (
      const [all, expected] of [[matching, true], [others, false]] as const
    ) {
      for (const facts of all) {
        const response = responseOf(facts);
        const shown = JSON.stringify(facts);
        assertEquals(condition(request, response), expected, shown);
        assertEquals(negated(request, response), !expected, shown);
      }
    }
  });
}

function responseOf({ status = 200, headers = {} }: ResponseFacts) {
  return {
    status,
    headers: new FakeFields(headers),
    reason: "",
    from: "backend",
    length: 0,
  } satisfies HttpResponse;
}

Deno.test("builtinPrimitives has no primitive without a row of tests", () => {
  const tested = new Set(
    [...REQUEST_TABLE, ...TIME_ROWS, ...RESPONSE_ROWS]
      .flatMap(([text]) => text.match(/\w+(?=\()/g) ?? []),
  );
  assertEquals([...primitives.keys()].filter((name) => !tested.has(name)), []);
});

Deno.test("each primitive with a case switch has rows for both of its ways", () => {
  const switched = [...primitives.values()]
    .filter(({ parameters }) =>
      parameters?.some(({ form }) => form === "boolean")
    )
    .map(({ name }) => name);
  const all = [...REQUEST_TABLE, ...RESPONSE_ROWS].map(([text]) => text);
  for (const name of switched) {
    // Buckets say nothing of case: a test of their own does.
    if (name.endsWith("_hash_in")) continue;
    for (const way of ["true", "false"]) {
      const row = all.find((text) =>
        text.startsWith(`${name}(`) && text.endsWith(`, ${way})`)
      );
      assert(row !== undefined, `${name} with ${way}`);
    }
  }
});

for (const family of ["query", "cookie", "header"]) {
  Deno.test(`req_${family}_value_hash_in ignores case only where told so`, () => {
    // murmur3 of "hello" is 0xcbd8a7b341bd9b02: bucket 6642.
    const bucket = Number(0xcbd8a7b341bd9b02n % 10_000n);
    const test = (value: string, ignoreCase: boolean) =>
      compileCondition(
        `req_${family}_value_hash_in("k", "${bucket}", ${ignoreCase})`,
        primitives,
      ).test(
        new FakeRequest({
          target: `/?k=${value}`,
          headers: [["cookie", `k=${value}`], ["k", value]],
        }),
      );
    assert(test("hello", false));
    assert(test("HELLO", true));
    assert(!test("HELLO", false));
  });
}

Deno.test("conditions follow a request that a handler changes", () => {
  const condition =
    compileCondition('req_path_in("/b", false)', primitives).test;
  const request = new FakeRequest({ target: "/a" });
  assert(!condition(request));
  request.path = "/b";
  assert(condition(request));
});

/** Condition, what the refusal says. */
const REFUSALS: readonly (readonly [string, string])[] = [
  [
    'req_host_in("b.org|a.com:80")',
    'A host must be a name or an address without a port: current value is "a.com:80" (argument 1 of req_host_in at offset 12)',
  ],
  ['req_host_in("[::1]:80")', 'current value is "[::1]:80"'],
  ['req_host_in("a.com|")', 'current value is ""'],
  [
    'req_host_in("*.a.com")',
    'an end of names goes to req_host_suffix_in: current value is "*.a.com"',
  ],
  [
    'req_host_tag_in("shop.exampel.com")',
    'Cannot use req_host_tag_in at offset 0: An entry must be one of the product\'s hosts: current value is "shop.exampel.com", did you mean "shop.example.com"?',
  ],
  ['req_host_tag_in("*.a:1")', 'current value is "a:1"'],
  [
    'req_port_in("80|http")',
    'A port must be a number from 0 to 65535: current value is "http" (argument 1 of req_port_in at offset 12)',
  ],
  ['req_port_in("65536")', 'current value is "65536"'],
  [
    'req_path_prefix_in("/a|", false)',
    'A list must not have an empty element: current value is "/a|" (argument 1 of req_path_prefix_in at offset 19)',
  ],
  ['req_path_contain("", true)', "A list must not have an empty element"],
  ['req_query_key_prefix_in("")', "A list must not have an empty element"],
  ['req_host_suffix_in("")', "A list must not have an empty element"],
  [
    'req_cookie_value_suffix_in("a", "|b", false)',
    "(argument 2 of req_cookie_value_suffix_in at offset 32)",
  ],
  [
    'req_proto_match("spdy/3.1")',
    'A protocol must be one of h2, https, wss, http/1.0, http/1.1, http/2.0: current value is "spdy/3.1"',
  ],
  [
    'req_cip_range("10.0.0.1", "10.0.0.256")',
    'An IP address was expected: current value is "10.0.0.256" (argument 2 of req_cip_range at offset 26)',
  ],
  [
    'req_cip_range("10.0.0.1", "::1")',
    "Cannot use req_cip_range at offset 0: The ends of a range must be of one family: current values are 10.0.0.1 and ::1",
  ],
  [
    'ses_sip_range("10.0.0.2", "10.0.0.1")',
    "A range must not end before it begins",
  ],
  ['req_vip_range("10.0.0.2", "")', 'current value is ""'],
  ['ses_vip_range("x", "10.0.0.1")', "argument 1 of ses_vip_range"],
  ['req_vip_in("10.0.0.1|10.0.0.0/8")', 'current value is "10.0.0.0/8"'],
  [
    'req_cip_hash_in("10000")',
    'A bucket must be a number or a range from 0 to 9999, such as 0-99: current value is "10000" (argument 1 of req_cip_hash_in at offset 16)',
  ],
  ['req_cookie_value_hash_in("a", "0-10000", false)', "argument 2"],
  ['req_cookie_value_hash_in("a", "9-1", false)', 'current value is "9-1"'],
  ['req_cookie_value_hash_in("a", "1|", false)', 'current value is ""'],
  [
    'req_header_value_in("x a", "1", false)',
    'A header field\'s name must be a token: current value is "x a" (argument 1 of req_header_value_in at offset 20)',
  ],
  ['req_header_key_in("x-a|")', 'current value is ""'],
  ['ses_tls_sni_in("a.com:443")', 'current value is "a.com:443"'],
  [
    'bfe_time_range("20190230000000Z", "20190301000000Z")',
    'A time must be yyyymmddhhmmss and the letter of a time zone, such as 20190204203000Z for UTC: current value is "20190230000000Z" (argument 1 of bfe_time_range at offset 15)',
  ],
  ['bfe_time_range("20191301000000Z", "20190301000000Z")', "argument 1"],
  ['bfe_time_range("20190101240000Z", "20190301000000Z")', "argument 1"],
  ['bfe_time_range("20190101000000J", "20190301000000Z")', "argument 1"],
  ['bfe_time_range("20190101000000Z", "20190301000000")', "argument 2"],
  [
    'bfe_time_range("20190101000000Z", "20190101000000A")',
    "Cannot use bfe_time_range at offset 0: A range must not end before it begins: current values are 20190101000000Z and 20190101000000A",
  ],
  [
    'bfe_periodic_time_range("200000R", "213000H", "")',
    "The ends of a range must be of one time zone: current values are 200000R and 213000H",
  ],
  [
    'bfe_periodic_time_range("220000H", "060000H", "")',
    "over midnight it takes two ranges with || between them",
  ],
  ...["", ".a", "a.", "a..b", "a\\\\"].map((path): [string, string] => [
    `req_body_json_in("${path}", "x", false)`,
    "A path must be names with dots between them",
  ]),
  [
    'req_body_json_prefix_in("a", "x|", true)',
    "must not have an empty element",
  ],
  [
    'bfe_periodic_time_range("200000H", "213000H", "Monday")',
    'A period must be "", which stands for a day: current value is "Monday" (argument 3 of bfe_periodic_time_range at offset 46)',
  ],
  [
    'bfe_periodic_time_range("20:00:00", "213000H", "")',
    "A time of day must be hhmmss",
  ],
];

for (const [text, message] of REFUSALS) {
  Deno.test(`${text} is refused at load`, () => {
    const error = assertThrows(
      () => compileCondition(text, primitives, place),
      ConditionError,
    );
    assertStringIncludes(error.message, message);
  });
}

for (
  const [text, message] of [
    [
      'res_code_in("5xx")',
      'A status must be a number from 100 to 599: current value is "5xx" (argument 1 of res_code_in at offset 12)',
    ],
    ['res_code_in("99")', 'current value is "99"'],
    ['res_header_key_in("x a")', "must be a token"],
    ['res_header_value_in("", "a", true)', "must be a token"],
  ] as const
) {
  Deno.test(`${text} is refused at load`, () => {
    const error = assertThrows(
      () => compileResponseCondition(text, primitives),
      ConditionError,
    );
    assertStringIncludes(error.message, message);
  });
}

Deno.test("req_host_tag_in is refused where there is no product", () => {
  const text = 'req_host_tag_in("shop.example.com")';
  for (const compile of [compileCondition, compileResponseCondition]) {
    const error = assertThrows(() => compile(text, primitives), ConditionError);
    assertStringIncludes(
      error.message,
      "only a product's rules know entries of `hosts`",
    );
  }
});

Deno.test("every primitive refuses a wrong number of arguments and a wrong kind of each", () => {
  for (const { name, parameters = [], subject } of primitives.values()) {
    const refusal = (args: readonly string[]) =>
      assertThrows(
        () =>
          subject === "request"
            ? compileCondition(`${name}(${args.join(", ")})`, primitives, place)
            : compileResponseCondition(
              `${name}(${args.join(", ")})`,
              primitives,
            ),
        ConditionError,
      ).message;
    const wrong = parameters.map(({ form }) =>
      form === "boolean" ? '"x"' : "true"
    );
    const forms = parameters.map(({ form }) => form).join(", ");
    assertStringIncludes(
      refusal([...wrong, "true"]),
      `Expected ${name}(${forms}) at offset 0: found`,
    );
    if (parameters.length > 0) {
      assertStringIncludes(
        refusal(wrong),
        `as argument 1 of ${name} at offset ${name.length + 1}: found `,
      );
    }
  }
});
