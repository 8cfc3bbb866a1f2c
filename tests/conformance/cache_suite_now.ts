/**
 * What the public cache tests ask now, as far as their last published version
 * asks something else: tests that came or went, and whether one is required,
 * optimal or only looked at.
 *
 * @module
 */

/** A field line that the tests' origin sends; a number is a date, in seconds from now. */
type Header = readonly [name: string, value: string | number, check?: boolean];

/** As much of a test as is looked at here. */
export interface CacheTest {
  readonly id: string;
  kind?: string;
  readonly "depends_on"?: readonly string[];
  readonly requests: Record<string, unknown>[];
}

/** Tests of one subject. */
export interface Suite {
  readonly id: string;
  readonly name: string;
  readonly tests: CacheTest[];
}

type Kind = "required" | "optimal" | "check";

/** RFC 9111 §5.1: the first Age counts, what is no number is ignored. */
const CORRECTED: ReadonlySet<string> = new Set([
  "age-parse-nonnumeric",
  "age-parse-negative",
  "age-parse-float",
  "age-parse-prefix-twoline",
  "age-parse-dup-0",
  "age-parse-dup-0-twoline",
  "age-parse-dup-old",
]);

/** Dates that were none for want of a comma. */
const DATES: Readonly<Record<string, string>> = {
  "freshness-expires-32bit": "Tue, 19 Jan 2038 14:14:08 GMT",
  "freshness-expires-far-future": "Sun, 21 Nov 2286 04:46:39 GMT",
};

const REMOVED: ReadonlySet<string> = new Set([
  "freshness-max-age-ignore-quoted-all",
  "freshness-max-age-ignore-quoted-all-rev",
  "freshness-max-age-multiple-line",
  "freshness-max-age-multiple-directive",
]);

/** Fields that a 304 must update, or must not. */
const UPDATES =
  /-(?:(?:X-)?(?:Test-Header|Content-Foo)|Cache-Control|Content-Length)$/;

/** Other kinds than before; of the patterns that match the first counts. */
const KINDS: readonly (readonly [id: RegExp, kind: Kind])[] = [
  [/^age-parse-(?:numeric-)?parameter$/, "check"],
  [/^freshness-expires-(?:32bit|far-future|rfc850|ansi-c)$/, "optimal"],
  [/^freshness-expires-wrong-case-/, "optimal"],
  [/^freshness-expires-invalid-date$/, "optimal"],
  [/^freshness-expires-invalid-/, "required"],
  [/^invalidate-.*-(?:location|cl)$/, "check"],
  [/^304-etag-update-response-/, "check"],
  [/^partial-use-stored-headers$/, "required"],
];

function kindOf({ id, kind = "required" }: CacheTest): string {
  if (id.startsWith("304-") && UPDATES.test(id)) return "required";
  return KINDS.find(([pattern]) => pattern.test(id))?.[1] ?? kind;
}

const PAST: Header = ["Expires", -10_000];
const FUTURE: Header = ["Expires", 10_000];
const DATE: Header = ["Date", 0];
const LONG: Header = ["Expires", 30 * 24 * 60 * 60];

function cdn(value: string): Header {
  return ["CDN-Cache-Control", value, false];
}

function control(value: string): Header {
  return ["Cache-Control", value];
}

const MAX_AGE = cdn("max-age=3600");

/** Tests of two requests: what the first is answered with, and whether that answers the second. */
const ADDED: readonly (readonly [
  id: string,
  kind: Kind,
  headers: readonly Header[],
  expected: "cached" | "not_cached",
  second?: Readonly<Record<string, unknown>>,
])[] = [
  [
    "freshness-max-age-stale",
    "required",
    [control("max-age=2")],
    "not_cached",
  ],
  ...["large-minus-one 2147483647", "large 2147483648", "larger 2147483649"]
    .map((row) => {
      const [id, age] = row.split(" ") as [string, string];
      const headers: Header[] = [DATE, control("max-age=3600"), ["Age", age]];
      return [`age-parse-${id}`, "required", headers, "not_cached"] as const;
    }),
  [
    "status-200-must-understand",
    "optimal",
    [control("max-age=3600, no-store, must-understand")],
    "cached",
  ],
  [
    "stale-while-revalidate",
    "optimal",
    [control("max-age=1, stale-while-revalidate=3600"), ["ETag", '"abc"']],
    "cached",
  ],
  ["other-date-update-expires", "required", [LONG, DATE], "cached", {
    "expected_response_headers": [DATE],
  }],
  ["other-date-update-expires-update", "check", [LONG, DATE], "cached", {
    "expected_response_headers": [LONG],
  }],
  ["cdn-max-age", "optimal", [MAX_AGE], "cached"],
  ["cdn-max-age-max", "optimal", [cdn("max-age=2147483648")], "cached"],
  ["cdn-max-age-max-plus", "optimal", [cdn("max-age=99999999999")], "cached"],
  [
    "cdn-max-age-age",
    "required",
    [DATE, MAX_AGE, ["Age", "7200"]],
    "not_cached",
  ],
  [
    "cdn-max-age-space-before-equals",
    "check",
    [control("max-age=1"), cdn("max-age =100")],
    "not_cached",
  ],
  [
    "cdn-max-age-space-after-equals",
    "check",
    [control("max-age=1"), cdn("max-age= 100")],
    "not_cached",
  ],
  ["cdn-max-age-0", "required", [cdn("max-age=0")], "not_cached"],
  ["cdn-max-age-extension", "optimal", [cdn("foobar, max-age=3600")], "cached"],
  ["cdn-max-age-case-insensitive", "check", [cdn("MaX-aGe=3600")], "cached"],
  ["cdn-max-age-expires", "optimal", [MAX_AGE, PAST, DATE], "cached"],
  [
    "cdn-max-age-cc-max-age-invalid-expires",
    "optimal",
    [MAX_AGE, ["Expires", "0", false], DATE],
    "cached",
  ],
  [
    "cdn-max-age-0-expires",
    "required",
    [cdn("max-age=0"), FUTURE, DATE],
    "not_cached",
  ],
  [
    "cdn-max-age-short-cc-max-age",
    "optimal",
    [control("max-age=1"), MAX_AGE],
    "cached",
  ],
  ["cdn-max-age-long-cc-max-age", "required", [
    control("max-age=3600"),
    cdn("max-age=1"),
  ], "not_cached"],
  ["cdn-private", "required", [
    cdn("private"),
    control("max-age=10000"),
    FUTURE,
    DATE,
  ], "not_cached"],
  ["cdn-no-cache", "required", [
    cdn("no-cache"),
    control("max-age=10000"),
    FUTURE,
    DATE,
  ], "not_cached"],
  ["cdn-no-store-cc-fresh", "required", [
    control("max-age=10000"),
    cdn("no-store"),
    FUTURE,
    DATE,
  ], "not_cached"],
  ["cdn-fresh-cc-nostore", "required", [
    control("no-store"),
    cdn("max-age=10000"),
  ], "cached"],
  ["cdn-cc-invalid-sh-type-unknown", "required", [
    cdn("max-age=10000, &&&&&"),
    control("no-store"),
  ], "not_cached"],
  ["cdn-cc-invalid-sh-type-wrong", "required", [
    cdn('max-age="10000"'),
    control("no-store"),
  ], "not_cached"],
  [
    "cdn-remove-age-exceed",
    "check",
    [
      control("max-age=1"),
      cdn("max-age=10000"),
      DATE,
    ],
    "cached",
    { "expected_response_headers": ["Age"] },
  ],
  [
    "cdn-date-update-exceed",
    "check",
    [
      control("max-age=1"),
      cdn("max-age=10000"),
      DATE,
    ],
    "cached",
    { "expected_response_headers": [DATE] },
  ],
  [
    "cdn-expires-update-exceed",
    "check",
    [
      control("max-age=1"),
      ["Expires", 1],
      cdn("max-age=10000"),
      DATE,
    ],
    "cached",
    { "expected_response_headers": [["Expires", 1]] },
  ],
];

const SETUP = { setup: true, "pause_after": true };

/** A newer response that must not be stored leaves the older one alone. */
function oldStays(id: string, newer: string): CacheTest {
  const older = [control("max-age=10000"), FUTURE, DATE, ["A", "1"]];
  return {
    id,
    requests: [
      { "response_headers": older, ...SETUP },
      {
        "response_headers": [control(newer), DATE, ["A", "2"]],
        ...SETUP,
      },
      {
        "expected_type": "cached",
        "expected_response_headers": [["a", "1"]],
      },
    ],
  };
}

/** Those that are no such pair. */
const MORE: readonly CacheTest[] = [
  oldStays("cc-resp-no-store-old-new", "no-store"),
  oldStays("cc-resp-no-store-old-max-age", "no-store, max-age=0"),
  {
    id: "stale-while-revalidate-window",
    requests: [
      {
        "response_headers": [
          control("max-age=1, stale-while-revalidate=4"),
          ["ETag", '"abc"'],
        ],
        ...SETUP,
      },
      {
        "response_headers": [
          ["Cache-Control", "no-cache", false],
          ["ETag", '"def"', false],
        ],
        "expected_type": "cached",
        ...SETUP,
      },
      { "expected_response_headers": [["client-request-count", "3"]] },
    ],
  },
  {
    id: "cdn-remove-header",
    kind: "check",
    requests: [{
      "response_headers": [
        control("max-age=10000"),
        cdn("foo"),
        FUTURE,
        DATE,
      ],
      "expected_response_headers": [["CDN-Cache-Control", "foo"]],
    }],
  },
];

/** The published suites as their repository has them now. */
export function suitesNow(published: readonly Suite[]): Suite[] {
  const suites = published.map((suite) => ({
    ...suite,
    tests: suite.tests.filter(({ id }) => !REMOVED.has(id)),
  }));
  for (const test of suites.flatMap(({ tests }) => tests)) {
    test.kind = kindOf(test);
    const last = test.requests.at(-1)!;
    if (CORRECTED.has(test.id)) last["expected_type"] = "cached";
    const expires = DATES[test.id];
    if (expires !== undefined) {
      const headers: Header[] = [["Expires", expires, false], DATE];
      test.requests[0]!["response_headers"] = headers;
    }
    if (
      test.id.startsWith("freshness-expires-invalid-") &&
      test.kind === "required"
    ) last["expected_type"] = "not_cached";
    if (/^stale-close-(?:must|proxy|no-cache|s-maxage)/.test(test.id)) {
      // What the proxy says by itself has no number of the server's.
      delete last["expected_type"];
      last["expected_status"] = 502;
      last["check_body"] = false;
      last["expected_response_headers_missing"] = ["server-request-count"];
    }
  }
  const pairs = ADDED.map((
    [id, kind, headers, expected, second],
  ): CacheTest => ({
    id,
    kind,
    requests: [
      { "response_headers": headers, ...SETUP },
      { "expected_type": expected, ...second },
    ],
  }));
  const tests = [...pairs, ...MORE];
  return [...suites, { id: "added", name: "Added since", tests }];
}
