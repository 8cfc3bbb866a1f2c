/**
 * Plugins that answer operators, in one data plane under a clock that the test
 * turns.
 *
 * @module
 */
import type {
  PluginAnswer,
  PluginRequest,
} from "../../../core/data_plane/control.ts";
import type { AdminApp, PluginParts } from "../../../core/plugin.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { partsPlugin } from "../../support/inline_plugin.ts";
import { startPlane } from "../../support/plane.ts";
import { problemsOf } from "../../support/plugin_site.ts";
import { startProxy } from "../../support/proxy.ts";
import { configWith } from "../../support/proxy_with.ts";

const REQUEST = {
  plugin: "shows",
  method: "GET",
  url: "http://localhost/page",
  headers: [],
  body: undefined,
} satisfies PluginRequest;

/** A plane whose plugin answers so. */
async function stage(fetch: AdminApp["fetch"], parts: PluginParts = {}) {
  const clock = new FakeClock();
  const served = await startPlane({
    plugins: [
      partsPlugin("shows", { ...parts, admin: { fetch } }, { timeout: "5s" }),
    ],
  }, clock);
  return {
    clock,
    plane: served.plane,
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** Its text, or why there is none. */
function textOf(answer: PluginAnswer): string {
  if (answer.kind === "response") return new TextDecoder().decode(answer.body);
  return answer.kind === "failed" ? answer.reason : answer.kind;
}

Deno.test("A plugin answers method, headers and body as they came", async () => {
  await using bench = await stage(async (request) => {
    const { method, url, headers } = request;
    const said = `${method} ${url} ${headers.get("x-a")} `;
    return new Response(said + await request.text(), {
      status: 201,
      headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]],
    });
  });
  const answer = await bench.plane.askPlugin({
    ...REQUEST,
    method: "POST",
    headers: [["x-a", "1"]],
    body: new TextEncoder().encode("body"),
  });
  assertEquals(textOf(answer), "POST http://localhost/page 1 body");
  assert(answer.kind === "response");
  assertEquals(answer.status, 201);
  assertEquals(
    answer.headers.filter(([name]) => name === "set-cookie"),
    [["set-cookie", "a=1"], ["set-cookie", "b=2"]],
  );
});

Deno.test("Only a plugin with an admin part answers", async () => {
  await using bench = await stage(() => new Response());
  const asked = { ...REQUEST, plugin: "other" };
  assertEquals(await bench.plane.askPlugin(asked), { kind: "none" });
});

const FAILING: readonly [string, AdminApp["fetch"], string][] = [
  ["throws", () => {
    throw new Error("oh no");
  }, "oh no"],
  ["rejects", () => Promise.reject(new Error("oh no")), "oh no"],
  [
    "gives no response",
    // Untyped JavaScript may.
    () => "hello" as unknown as Response,
    "An admin app must answer a Response",
  ],
  [
    "gives an error's response",
    () => Response.error(),
    "An admin app must answer a Response",
  ],
  [
    "fails in its body",
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            controller.error(new Error("oh no"));
          },
        }),
      ),
    "oh no",
  ],
];

for (const [what, fetch, reason] of FAILING) {
  Deno.test(`A plugin that ${what} has failed, which is counted`, async () => {
    await using bench = await stage(fetch);
    const answer = await bench.plane.askPlugin(REQUEST);
    assertEquals(answer, { kind: "failed", reason });
    const { plugins } = await bench.plane.report(0);
    assertEquals(plugins.map(({ points, errors }) => [points, errors]), [
      [["admin"], 1],
    ]);
  });
}

Deno.test("A plugin that takes longer than its timeout has failed, and hears of it", async () => {
  const signals: AbortSignal[] = [];
  await using bench = await stage((request) => {
    signals.push(request.signal);
    return new Promise(() => {});
  });
  const asked = bench.plane.askPlugin(REQUEST);
  bench.clock.advance(4_999);
  assertEquals(signals.map(({ aborted }) => aborted), [false]);
  bench.clock.advance(1);
  assertEquals(textOf(await asked), "No answer within 5000 ms");
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
});

Deno.test("A body that does not end in time is cancelled", async () => {
  let cancelled = false;
  let pulled = false;
  await using bench = await stage(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          if (!pulled) controller.enqueue(new Uint8Array(1));
          pulled = true;
        },
        cancel() {
          cancelled = true;
        },
      }),
    )
  );
  const asked = bench.plane.askPlugin(REQUEST);
  await eventually("its body is read", () => pulled);
  bench.clock.advance(5_000);
  assertEquals(textOf(await asked), "No answer within 5000 ms");
  await eventually("its body is cancelled", () => cancelled);
});

Deno.test("A body that is longer than 64 MiB is cancelled, as one without an end is", async () => {
  const piece = new Uint8Array(1 << 20);
  let pieces = 0;
  let cancelled = false;
  await using bench = await stage(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          // Without the bound it would fill the memory.
          if (++pieces > 100) controller.close();
          else controller.enqueue(piece);
        },
        cancel() {
          cancelled = true;
        },
      }),
    )
  );
  const answer = await bench.plane.askPlugin(REQUEST);
  assertEquals(textOf(answer), "An answer of more than 67108864 bytes");
  assert(cancelled);
});

Deno.test("A plugin ends only when it has answered", async () => {
  const told: string[] = [];
  const gate = Promise.withResolvers<void>();
  const bench = await stage(async () => {
    told.push("asked");
    await gate.promise;
    told.push("answers");
    return new Response("late");
  }, { close: () => void told.push("close") });
  const asked = bench.plane.askPlugin(REQUEST);
  await eventually("it is asked", () => told.length === 1);
  const stopped = bench[Symbol.asyncDispose]();
  gate.resolve();
  assertEquals(textOf(await asked), "late");
  await stopped;
  assertEquals(told, ["asked", "answers", "close"]);
});

Deno.test("Two plugins of one name can't both answer", async () => {
  const plugin = () =>
    partsPlugin("shows", { admin: { fetch: () => new Response() } });
  const config = configWith({ plugins: [plugin(), plugin()] });
  assertEquals(await problemsOf(() => startProxy(config)), [
    'plugin "shows": another plugin with an admin part has this name, give one of them a name of its own',
  ]);
});
