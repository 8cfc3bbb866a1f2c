import type { HttpRequest, Transaction } from "../../core/plugin.ts";
import { SharedMemory } from "../../core/shared/shared_memory.ts";
import rateLimit from "../../plugins/rate_limit.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  answerOf,
  checkOptions,
  fakeRequest,
  fakeResponse,
  fakeTransaction,
  OptionsError,
  type RequestFacts,
  type RunningPlugin,
  startPlugin,
} from "../../core/testing/views.ts";
import { fakeShared } from "../../core/testing/shared.ts";

const CLIENT = { name: "client", rate: { requests: 10, per: "1s", burst: 3 } };

function start(...rules: readonly object[]): Promise<RunningPlugin> {
  return startPlugin(rateLimit, { rules });
}

async function statusOf(
  { handlers }: RunningPlugin,
  facts: RequestFacts = {},
): Promise<number> {
  return answerOf(await handlers.foundProduct?.(fakeRequest(facts)))?.status ??
    0;
}

Deno.test("rate-limit lets a burst in, then one as often as the rate says", async () => {
  const plugin = await start(CLIENT);
  const ask = () => statusOf(plugin);
  assertEquals([await ask(), await ask(), await ask()], [0, 0, 0]);
  assertEquals([await ask(), await ask()], [429, 429]);
  plugin.clock.advance(99);
  assertEquals(await ask(), 429);
  plugin.clock.advance(1);
  assertEquals([await ask(), await ask()], [0, 429]);
  plugin.clock.advance(10_000);
  assertEquals([await ask(), await ask(), await ask()], [0, 0, 0]);
  assertEquals(await ask(), 429);
  const metrics = plugin.metrics();
  assertStringIncludes(metrics, '{rule="client",result="allowed"} 7');
  assertStringIncludes(metrics, '{rule="client",result="limited"} 5');
});

Deno.test("rate-limit lets in as many as its rate over a long time", async () => {
  const plugin = await start({ name: "a", rate: { requests: 7, per: "1s" } });
  let allowed = 0;
  for (let i = 0; i < 10_000; i++) {
    if (await statusOf(plugin) === 0) allowed++;
    plugin.clock.advance(1);
  }
  assert(allowed >= 76 && allowed <= 77, `${allowed}`);
});

Deno.test("a rate that is changed for a quicker one holds at once", async () => {
  const memory = new SharedMemory();
  // What both instances, before and behind a reload, have of it.
  const limited = (rate: object) =>
    startPlugin(rateLimit, { rules: [{ name: "a", rate }] }, {
      shared: fakeShared("rate-limit", undefined, memory),
    });
  const before = await limited({ requests: 1, per: "1h" });
  assertEquals([await statusOf(before), await statusOf(before)], [0, 429]);
  const after = await limited({ requests: 10, per: "1s" });
  assertEquals(await statusOf(after), 429);
  after.clock.advance(100);
  assertEquals([await statusOf(after), await statusOf(after)], [0, 429]);
});

Deno.test("rate-limit counts by its key, an empty one by the client's network", async () => {
  const rule = { name: "a", rate: { requests: 1, per: "1m" } };
  const rows:
    readonly (readonly [string | undefined, RequestFacts, RequestFacts])[] = [
      [undefined, { clientAddress: "192.0.2.1" }, {
        clientAddress: "192.0.2.2",
      }],
      [
        "%{header:x-key}",
        { headers: { "x-key": "a" } },
        { headers: { "x-key": "b" } },
      ],
      ["%{cookie:s}", { headers: { cookie: "s=1" } }, {
        headers: { cookie: "s=2" },
      }],
      ["%{path}", { target: "/a?1" }, { target: "/b?1" }],
      [
        "%{tag:jwt.sub}",
        { tags: new Map([["jwt.sub", ["u"]]]) },
        { tags: new Map([["jwt.sub", ["v"]]]) },
      ],
      ["%{header:x-key}", { clientAddress: "::1" }, {
        clientAddress: "2001:db8::1",
      }],
    ];
  for (const [key, one, other] of rows) {
    const plugin = await start(key === undefined ? rule : { ...rule, key });
    assertEquals(
      [
        await statusOf(plugin, one),
        await statusOf(plugin, one),
        await statusOf(plugin, other),
      ],
      [0, 429, 0],
      key,
    );
  }
});

Deno.test("rate-limit takes the addresses of one IPv6 network for one client", async () => {
  const plugin = await start({ name: "a", rate: { requests: 1, per: "1m" } });
  assertEquals(await statusOf(plugin, { clientAddress: "2001:db8::1" }), 0);
  assertEquals(
    await statusOf(plugin, { clientAddress: "2001:db8:0:0:ffff::9" }),
    429,
  );
  assertEquals(await statusOf(plugin, { clientAddress: "2001:db8:0:1::1" }), 0);
});

Deno.test("rate-limit tells when to come again, and what is left", async () => {
  const plugin = await start(
    { name: "wide", rate: { requests: 100, per: "1s" } },
    { name: "tight", rate: { requests: 2, per: "10s" } },
  );
  const ask = async (): Promise<Record<string, string | undefined>> => {
    const request = fakeRequest();
    const answer = answerOf(await plugin.handlers.foundProduct?.(request));
    const response = fakeResponse();
    plugin.handlers.sendResponseHeader?.(request, response);
    return {
      retry: (answer?.headers as Record<string, string> | undefined)
        ?.["retry-after"],
      ...Object.fromEntries(response.headers),
    };
  };
  const policy = '"tight";q=2;w=10';
  assertEquals(await ask(), {
    retry: undefined,
    "ratelimit-policy": policy,
    ratelimit: '"tight";r=1;t=5',
  });
  await ask();
  assertEquals(await ask(), {
    retry: "5",
    "ratelimit-policy": policy,
    ratelimit: '"tight";r=0;t=5',
  });
});

/** A request whose transaction can be closed. */
function opened(): { request: HttpRequest; close: () => void } {
  const closers: ((transaction: Transaction) => unknown)[] = [];
  const base = fakeTransaction();
  const request = fakeRequest();
  const transaction = Object.assign(Object.create(base), {
    on: (_point: string, handler: (transaction: Transaction) => unknown) =>
      closers.push(handler),
  });
  return {
    request: Object.assign(request, { transaction }),
    close: () => {
      for (const handler of closers.splice(0)) handler(transaction);
    },
  };
}

Deno.test("rate-limit lets so many in at once, and others when these end", async () => {
  const plugin = await start({ name: "a", concurrent: 2 });
  const ask = async () => {
    const one = opened();
    const answer = answerOf(await plugin.handlers.foundProduct?.(one.request));
    return { ...one, status: answer?.status ?? 0 };
  };
  const [first, second, third] = [await ask(), await ask(), await ask()];
  assertEquals([first.status, second.status, third.status], [0, 0, 429]);
  third.close();
  assertEquals((await ask()).status, 429);
  first.close();
  const fourth = await ask();
  assertEquals([fourth.status, (await ask()).status], [0, 429]);
  second.close();
  fourth.close();
  assertEquals([(await ask()).status, (await ask()).status], [0, 0]);
  assertStringIncludes(plugin.metrics(), '{rule="a",result="busy"} 3');
});

Deno.test("what goes on for hours counts all the while", async () => {
  const plugin = await start({ name: "a", concurrent: 2 });
  const session = opened();
  await plugin.handlers.foundProduct?.(session.request);
  for (let hours = 0; hours < 5; hours++) {
    plugin.clock.advance(3_600_000);
    const second = opened();
    await plugin.handlers.foundProduct?.(second.request);
    assertEquals(await statusOf(plugin), 429, `after ${hours} hours`);
    plugin.clock.advance(3_600_000);
    assertEquals(await statusOf(plugin), 429, `after ${hours} hours`);
    second.close();
  }
  session.close();
  await plugin.close();
  assertEquals(plugin.clock.pending, 0);
});

Deno.test("rate-limit counts over all workers", async () => {
  const memory = new SharedMemory();
  const rules = [{
    name: "a",
    rate: { requests: 4, per: "1m" },
    concurrent: 3,
  }];
  const workers = await Promise.all(
    [1, 2].map(() =>
      startPlugin(rateLimit, { rules }, {
        shared: fakeShared("rate-limit", undefined, memory),
      })
    ),
  );
  const statuses: number[] = [];
  for (const i of [0, 1, 0, 1]) statuses.push(await statusOf(workers[i]!));
  assertEquals(statuses, [0, 0, 0, 429]);
});

Deno.test("a flood of random keys frees nobody who is over", async () => {
  const plugin = await start({
    name: "a",
    key: "%{header:x-key}",
    rate: { requests: 1, per: "1m", burst: 20 },
    entries: 1_000,
  });
  const victim = { headers: { "x-key": "victim" } };
  for (let i = 0; i < 20; i++) assertEquals(await statusOf(plugin, victim), 0);
  assertEquals(await statusOf(plugin, victim), 429);
  for (let i = 0; i < 20_000; i++) {
    await statusOf(plugin, { headers: { "x-key": `random ${i}` } });
  }
  assertEquals(await statusOf(plugin, victim), 429);
});

Deno.test("rate-limit spares what its condition spares, and the proxy's own requests", async () => {
  const plugin = await start({
    ...CLIENT,
    when: 'req_path_in("/login", false)',
    rate: { requests: 1, per: "1m" },
  });
  for (let i = 0; i < 3; i++) assertEquals(await statusOf(plugin), 0);
  const login = { target: "/login" };
  assertEquals([await statusOf(plugin, login), await statusOf(plugin, login)], [
    0,
    429,
  ]);
  const own = fakeRequest(login);
  Object.assign(own.session, { internal: true });
  assertEquals(answerOf(await plugin.handlers.foundProduct?.(own)), undefined);
});

const REFUSED:
  readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ rules: [] }, "rules"],
    [{ rules: [{ name: "a" }] }, "Expected rate or concurrent"],
    [{ rules: [{ name: "a b", concurrent: 1 }] }, "rules.0.name"],
    [{ rules: [CLIENT, CLIENT] }, "rules of different names"],
    [{ rules: [{ ...CLIENT, key: "%{x}" }] }, "rules.0.key: Unknown variable"],
    [
      { rules: [{ name: "a", rate: { requests: 0 } }] },
      "rules.0.rate.requests",
    ],
    [{ rules: [{ ...CLIENT, entries: 2 ** 30 }] }, "rules.0.entries"],
  ];
for (const [options, text] of REFUSED) {
  Deno.test(`rate-limit refuses ${JSON.stringify(options).slice(0, 80)}`, async () => {
    const error = await assertRejects(
      () => checkOptions(rateLimit, options),
      OptionsError,
    );
    assertStringIncludes(error.message, text);
  });
}
