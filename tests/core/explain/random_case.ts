/**
 * Random configs and requests: what explanations are held against.
 *
 * @module
 */
import fc from "fast-check";

/** A config, what operators did since, and what is then asked. */
export interface Case {
  readonly products: readonly ProductPart[];
  readonly clusters: readonly ClusterPart[];
  readonly plugins: readonly PluginPart[];
  readonly marks: readonly Mark[];
  readonly requests: readonly Asked[];
}

interface ProductPart {
  readonly hosts: readonly string[];
  readonly rules: readonly object[];
}

interface ClusterPart {
  readonly name: string;
  readonly subclusters: readonly {
    readonly weight: number;
    readonly backends: readonly object[];
  }[];
}

/** How an entry of `plugins` uses one of the test's plugins. */
interface PluginPart {
  readonly plugin: number;
  readonly order: number;
  /** Of the products, those that it is limited to; undefined = all. */
  readonly products: readonly number[] | undefined;
  readonly near: boolean;
}

/** What happens to the backend of this number before the requests. */
export interface Mark {
  readonly backend: number;
  readonly does: "disable" | "maintain" | "weight" | "check" | "fill";
}

/** A request. */
export interface Asked {
  /** Whether it goes to the listener with trusted peers. */
  readonly far: boolean;
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | undefined;
  /** Whether it brings the last sticky cookie along. */
  readonly sticky: boolean;
}

const LABELS = ["a", "b", "c"];
const PATHS = ["/", "/a", "/a/b", "/a/b/c", "/b", "/b.html", "/A", "/c?x=1"];
const METHODS = ["GET", "POST", "HEAD", "DELETE", "OPTIONS"];
const CLUSTERS = 3;

type HeaderLines = readonly (readonly [string, string])[];

const some = fc.constantFrom;

/** So many, long ones as often as short ones. */
function many<T>(
  one: fc.Arbitrary<T>,
  minLength: number,
  maxLength: number,
): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength, maxLength, size: "max" });
}

const host = fc.array(some(...LABELS), { minLength: 1, maxLength: 2 })
  .map((labels) => labels.join("."));
const pattern = fc.tuple(host, fc.boolean())
  .map(([host, wild]) => wild ? `*.${host}` : host);

const primitive = fc.oneof(
  some("/a", "/a/b", "/b").map((path) => `req_path_in("${path}", false)`),
  some("/a", "/b", "/").map((path) =>
    `req_path_prefix_in("${path}", ${path === "/a"})`
  ),
  some("/a", "/a/b").map((path) =>
    `req_path_element_prefix_in("${path}", false)`
  ),
  some("GET", "POST|DELETE").map((methods) => `req_method_in("${methods}")`),
  host.map((host) => `req_host_in("${host}")`),
  some("x", "y").map((name) => `req_query_key_in("${name}")`),
  some("u1", "u2|u3").map((users) =>
    `req_header_value_in("X-User", "${users}", false)`
  ),
  some("10.1.0.1", "127.0.0.1").map((address) =>
    `req_cip_range("${address}", "${address}")`
  ),
  some("u1", "u2").map((user) => `own_user("${user}")`),
  some("a", "b|c").map((list) => `req_body_json_in("m", "${list}", false)`),
  some("req_cip_trusted()", "default_t()", "ses_tls_client_auth()"),
);

const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 2 },
    primitive,
    tie("condition").map((one) => `!(${one})`),
    fc.tuple(tie("condition"), some("&&", "||"), tie("condition"))
      .map(([left, sign, right]) => `(${left}) ${sign} (${right})`),
  ),
}));

const aim = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.nat(CLUSTERS - 1).map((n) => ({ cluster: `c${n}` })),
  },
  {
    weight: 1,
    arbitrary: some(301, 302, 308).map((status) => ({
      redirect: { to: "/else", status },
    })),
  },
  {
    weight: 1,
    arbitrary: some(200, 404, 410).map((status) => ({
      respond: { status, body: "made" },
    })),
  },
);

const rule = fc.tuple(fc.option(condition, { nil: undefined, freq: 20 }), aim)
  .map(([when, aim]) => ({ when, ...aim }));

// More than 8 rules are found by an index. What stands behind a rule for every
// request is never reached, and refused.
const rules = fc.oneof(
  many(rule, 1, 4),
  many(rule, 10, 14),
).map((all) => {
  const last = all.findIndex(({ when }) => when === undefined);
  return last < 0 ? all : all.slice(0, last + 1);
});

const backend = fc.record({
  weight: some(0, 1, 1, 2, 2, 5),
  backup: some(false, false, false, true),
});

const cluster = fc.record({
  balance: some("roundrobin", "leastconn", "random", "first", "hash", "own"),
  key: some("clientAddress", "uri", "path", "header:X-User", "query:x"),
  sticky: fc.boolean(),
  blackhole: some(0, 0, 0, 1),
  panic: some(undefined, "50%"),
  limited: fc.boolean(),
  buffer: some(undefined, undefined, { bytes: 9 }, { bytes: 4, disk: 100 }),
  subclusters: fc.array(
    fc.record({
      weight: some(0, 1, 1, 3),
      backends: many(backend, 0, 3),
    }),
    { minLength: 1, maxLength: 3 },
  ),
}).map((
  { key, sticky, blackhole, panic, limited, buffer, balance, subclusters },
) => ({
  balance,
  ...buffer !== undefined && { requestBuffer: buffer },
  ...balance === "hash" && { hash: { key } },
  ...sticky && { sticky: { cookie: "HRS" } },
  ...panic !== undefined && { panic },
  blackhole,
  subclusters: subclusters.map(({ weight, backends }, i) => ({
    name: `s${i}`,
    weight,
    backends: backends.map((backend, j) => ({
      ...backend,
      ...limited && (i + j) % 3 < 2 && { maxConnections: 1 },
    })),
  })),
}));

const header: fc.Arbitrary<HeaderLines> = fc.oneof(
  some("u1", "u2", "u3").map((user) => [["X-User", user] as const]),
  some("10.1.0.1", "10.1.0.2", "x").map((
    address,
  ) => [["X-Forwarded-For", address] as const]),
  some<HeaderLines[]>(
    [["Cookie", "HRS=forged; a=b"]],
    [["Max-Forwards", "0"]],
    [["X-Throw", "1"]],
    [["X-Forwarded-Proto", "https"]],
    [["Content-Length", "x"]],
    [["Bad Name", "x"]],
    [["Connection", "upgrade"], ["Upgrade", "websocket"]],
    [["Via", "1.1 headrace-test"]],
  ),
);

const asked: fc.Arbitrary<Asked> = fc.record({
  far: fc.boolean(),
  method: some(...METHODS, "GET", "GET"),
  host: fc.oneof(
    { weight: 6, arbitrary: host },
    { weight: 1, arbitrary: host.map((host) => `${host.toUpperCase()}.`) },
  ),
  target: some(...PATHS, "/a?y=2", "*"),
  headers: fc.tuple(
    fc.array(header, { maxLength: 2 }),
    some<HeaderLines[]>([], [["Content-Type", "application/json"]]),
  ).map(([lines, type]) => [...lines.flat(), ...type]),
  // Nine bytes, ten, more than one listener takes, nothing.
  body: some(
    undefined,
    undefined,
    '{"m":"a"}',
    '{"m":"b" }',
    '{"m": "long"}',
    "",
  ),
  sticky: fc.boolean(),
});

/** The cases; `plugins` is how many plugins there are, the last `late` of them may be limited to products. */
export function cases(plugins: number, late: number): fc.Arbitrary<Case> {
  const plugin = fc.record({
    plugin: fc.nat(plugins - 1),
    order: some(0, 0, -5, 7),
    products: fc.option(fc.array(fc.nat(2), { minLength: 1, maxLength: 2 }), {
      nil: undefined,
    }),
    near: fc.boolean(),
  }).map((part) => ({
    ...part,
    products: part.plugin >= plugins - late ? part.products : undefined,
  }));
  return fc.record({
    products: fc.uniqueArray(pattern, { minLength: 3, maxLength: 12 })
      .chain((hosts) =>
        fc.tuple(...[0, 1, 2].map((n) =>
          rules.map((rules) => ({
            hosts: hosts.filter((_, i) => i % 3 === n),
            rules,
          }))
        ))
      ),
    clusters: fc.array(cluster, { minLength: CLUSTERS, maxLength: CLUSTERS })
      .map((clusters) =>
        clusters.map((cluster, i) => ({ name: `c${i}`, ...cluster }))
      ),
    plugins: fc.uniqueArray(plugin, {
      selector: ({ plugin }) => plugin,
      maxLength: plugins,
    }),
    marks: many(
      fc.record({
        backend: fc.nat(26),
        does: some(
          "disable",
          "maintain",
          "weight",
          "check",
          ...Array<Mark["does"]>(8).fill("fill"),
        ) as fc.Arbitrary<Mark["does"]>,
      }),
      0,
      20,
    ),
    requests: many(asked, 1, 8),
  });
}
