/**
 * Explanations as text.
 *
 * @module
 */
import type {
  BackendFacts,
  ClusterFacts,
  ExplainedOutcome,
  Explanation,
} from "../../../core/explain/explanation.ts";
import { printExplanation } from "../../../core/explain/print.ts";
import { assertEquals } from "../../support/assert.ts";

const PLAIN: Explanation = {
  request: undefined,
  listener: {
    name: "web",
    protocol: "http",
    addresses: ["0.0.0.0:80"],
    tls: undefined,
    why: "it was asked for by name",
  },
  product: undefined,
  rules: [],
  cluster: undefined,
  outcome: { kind: "forward", backend: "a" },
  points: [],
  notes: [],
};

const BACKEND: BackendFacts = {
  id: "a",
  url: "http://10.0.0.1",
  backup: false,
  candidate: true,
  why: undefined,
  state: "ready",
  check: "up",
  passive: undefined,
  breaker: undefined,
  configuredWeight: 1,
  weightNow: 1,
  load: 0,
  maxConnections: undefined,
};

const CLUSTER: ClusterFacts = {
  name: "api",
  balance: "roundrobin",
  hash: undefined,
  sticky: undefined,
  blackhole: 0,
  panics: false,
  subclusters: [{ name: "default", weight: 1, backends: [BACKEND] }],
  queue: { size: 1_000, timeout: 5_000, waiting: 0 },
  retries: {
    max: 3,
    crossSubcluster: 1,
    causes: ["connect", "503"],
    methods: ["GET"],
    budget: 0.2,
    bufferBytes: 1,
    repeatable: true,
  },
  pick: {
    subcluster: "default",
    backend: "a",
    why: "roundrobin would pick it next",
    waits: false,
  },
};

/** The lines under one heading, without it. */
function under(heading: string, parts: Partial<Explanation>): string[] {
  const lines = printExplanation({ ...PLAIN, ...parts }).split("\n");
  const from = lines.findIndex((line) => line.startsWith(`${heading} `));
  if (from < 0) return [];
  const rest = lines.slice(from + 1);
  const next = rest.findIndex((line) => !line.startsWith(" "));
  return [lines[from]!, ...next < 0 ? rest : rest.slice(0, next)]
    .map((line) => line.slice(11));
}

const clusterUnder = (heading: string, parts: Partial<ClusterFacts>) =>
  under(heading, { cluster: { ...CLUSTER, ...parts } });

Deno.test("printExplanation leaves out what a request did not come to", () => {
  assertEquals(
    printExplanation({
      ...PLAIN,
      outcome: {
        kind: "refuse",
        status: 400,
        code: "bad_request",
        why: "no head",
      },
      notes: ["One.", "Two."],
    }),
    `listener   web (0.0.0.0:80): it was asked for by name
outcome    400 (bad_request): no head
handlers   none
note       One.
note       Two.`,
  );
});

Deno.test("printExplanation: the request", () => {
  const request = {
    method: "GET",
    scheme: "https",
    host: "2001:db8::1",
    target: "/x?y",
    clientAddress: "192.0.2.1",
    trusted: false,
  } as const;
  assertEquals(under("request", { request }), [
    "GET https://[2001:db8::1]/x?y, from 192.0.2.1",
  ]);
  assertEquals(
    under("request", {
      request: { ...request, host: "a", target: "*", trusted: true },
    }),
    ["GET https://a *, from 192.0.2.1 through a trusted proxy"],
  );
});

Deno.test("printExplanation: listener and product", () => {
  const listener = {
    ...PLAIN.listener,
    tls: { runtime: "node:tls", reason: "strictSni" } as const,
    addresses: ["127.0.0.1:1", "127.0.0.1:2"],
  };
  assertEquals(under("listener", { listener }), [
    "web (127.0.0.1:1, 127.0.0.1:2): it was asked for by name",
    "TLS by node:tls: strictSni",
  ]);
  const whys = [
    { name: "p", by: "exact", host: "a" },
    { name: "p", by: "wildcard", host: "*.a" },
    { name: "p", by: "default", host: undefined },
  ] as const;
  assertEquals(
    whys.flatMap((product) => under("product", { product })),
    [
      "p: its host is the request's",
      "p: its host *.a covers the request's",
      "p: no product has the host, it is the default",
    ],
  );
});

Deno.test("printExplanation: rules with what their parts answered", () => {
  const leaf = (text: string, result?: boolean) => ({
    text,
    result,
    parts: [],
  });
  const rule = {
    number: 1,
    when: " a() || !b() && c() ",
    matched: false,
    excluded: false,
    error: undefined,
    condition: {
      text: "a() || !b() && c()",
      result: false,
      parts: [
        leaf("a()", false),
        {
          text: "!b() && c()",
          result: false,
          parts: [
            { text: "!b()", result: false, parts: [leaf("b()", true)] },
            leaf("c()"),
          ],
        },
      ],
    },
    leadsTo: { kind: "cluster", cluster: "x" },
  } as const;
  const single = { ...rule, condition: leaf("own()"), when: "own()" };
  assertEquals(
    under("rules", {
      rules: [
        rule,
        {
          ...single,
          number: 2,
          matched: false,
          condition: undefined,
          error: "boom",
        },
        {
          ...single,
          number: 3,
          matched: true,
          when: undefined,
          condition: undefined,
        },
      ],
    }),
    [
      "1. no   a() || !b() && c()",
      "     no   a()",
      "     no   !b() && c()",
      "       no   !b()",
      "         yes  b()",
      "       -    c()",
      "2. failed  own()",
      "     boom",
      "3. yes  every request  → cluster x",
    ],
  );
  const aims = [
    {
      kind: "redirect",
      to: "/new",
      scheme: undefined,
      port: undefined,
      status: 308,
    },
    {
      kind: "redirect",
      to: undefined,
      scheme: "https",
      port: undefined,
      status: 301,
    },
    {
      kind: "redirect",
      to: undefined,
      scheme: "https",
      port: 8443,
      status: 301,
    },
    { kind: "respond", status: 410 },
  ] as const;
  assertEquals(
    aims.flatMap((leadsTo) =>
      under("rules", { rules: [{ ...single, matched: true, leadsTo }] })
    ),
    [
      "1. yes  own()  → redirect 308 to /new",
      "1. yes  own()  → redirect 301 to the same URL by https",
      "1. yes  own()  → redirect 301 to the same URL by https at port 8443",
      "1. yes  own()  → response 410",
    ],
  );
});

Deno.test("printExplanation: the cluster", () => {
  const sticky = (given: boolean, backend?: string) => ({
    cookie: "C",
    given,
    backend,
  });
  assertEquals(
    [
      clusterUnder("cluster", {
        blackhole: 2,
        panics: true,
        sticky: sticky(false),
      }),
      clusterUnder("cluster", {
        balance: "hash",
        hash: { key: "query:x", value: undefined },
        sticky: sticky(true),
      }),
      clusterUnder("cluster", {
        balance: "hash",
        hash: { key: "path", value: "/a" },
        sticky: sticky(true, "b"),
      }),
    ],
    [
      [
        "api: balance roundrobin, blackhole of weight 2, panic: all are used",
        "sticky cookie C: the request has none",
      ],
      [
        "api: balance hash, no query:x to hash, so in turns",
        "sticky cookie C: the request's leads to no backend that can serve",
      ],
      [
        'api: balance hash, hash of path "/a"',
        "sticky cookie C: the request's leads to b",
      ],
    ],
  );
});

Deno.test("printExplanation: backends in columns, the pick marked", () => {
  const backends: BackendFacts[] = [
    BACKEND,
    {
      ...BACKEND,
      id: "long",
      candidate: false,
      why: "its checks fail",
      check: "down",
      passive: "ejected",
      breaker: "half-open",
      weightNow: 1 / 3,
      load: 2,
      maxConnections: 5,
      backup: true,
    },
  ];
  const subclusters = [
    { name: "east", weight: 90, backends },
    { name: "west", weight: 0, backends: [] },
  ];
  assertEquals(clusterUnder("backends", { subclusters }), [
    "east, weight 90",
    "→ a     http://10.0.0.1, weight 1, load 0, ready, checks up",
    "  long  http://10.0.0.1, weight 0.33 (config: 1), load 2 of 5, ready, checks down, passive ejected, breaker half-open, backup, no candidate: its checks fail",
    "west, weight 0",
  ]);
  assertEquals(clusterUnder("queue", { subclusters }), [
    "0 of 1000 wait for a slot, each at most 5000 ms",
  ]);
  assertEquals(clusterUnder("queue", {}), []);
  assertEquals(
    clusterUnder("queue", { queue: { ...CLUSTER.queue, waiting: 3 } }).length,
    1,
  );
});

Deno.test("printExplanation: pick and retries", () => {
  const picks = [
    { ...CLUSTER.pick, waits: true },
    { ...CLUSTER.pick, backend: undefined, why: "chance" },
    { ...CLUSTER.pick, backend: undefined, subcluster: undefined, why: "no" },
  ];
  assertEquals(picks.flatMap((pick) => clusterUnder("pick", { pick })), [
    "a: roundrobin would pick it next, once a slot is free",
    "default: chance",
    "none: no",
  ]);
  const rules =
    "at most 3, of these 1 in another subcluster, after connect, 503, within 20 % of the requests";
  const retries = [
    {},
    { repeatable: false },
    { repeatable: undefined },
    { max: 0 },
  ];
  assertEquals(
    retries.flatMap((parts) =>
      clusterUnder("retries", { retries: { ...CLUSTER.retries, ...parts } })
    ),
    [
      `${rules}; this request may be sent again`,
      `${rules}; this request is sent again only where no backend has heard of it`,
      rules,
      "none",
    ],
  );
});

Deno.test("printExplanation: outcomes and handlers", () => {
  const outcomes: readonly ExplainedOutcome[] = [
    { kind: "forward", backend: "a" },
    { kind: "forward", backend: undefined },
    { kind: "forward", backend: undefined, dialer: "own" },
    { kind: "redirect", to: "/x", status: 302 },
    { kind: "respond", status: 204, why: "Max-Forwards is 0" },
    { kind: "refuse", status: 503, code: "no_backend", why: "none" },
    { kind: "refuse", status: 0, code: "no_backend", why: "none" },
  ];
  assertEquals(outcomes.flatMap((outcome) => under("outcome", { outcome })), [
    "sent to backend a",
    "sent to one of the candidates",
    "handed to the dialer own",
    "redirect 302 to /x",
    "response 204: Max-Forwards is 0",
    "503 (no_backend): none",
    "the connection is closed (no_backend): none",
  ]);
  const handler = (plugin: string, scope: "global" | "product", order = 0) => ({
    plugin,
    scope,
    order,
  });
  assertEquals(
    under("handlers", {
      points: [
        { point: "accept", handlers: [] },
        { point: "foundProduct", handlers: [handler("a", "global", -1)] },
        {
          point: "finish",
          handlers: [handler("a", "global"), handler("b", "product", 7)],
        },
      ],
    }),
    [
      "foundProduct  a (global, order -1)",
      "finish        a (global, order 0), then b (product, order 7)",
    ],
  );
});
