/**
 * The walk over a point's handlers, without a session.
 *
 * @module
 */
import { CALLBACK_POINTS, POINT } from "../../../core/callback_points.ts";
import { ProxyError } from "../../../core/errors.ts";
import { Deadlines } from "../../../core/net/deadlines.ts";
import {
  CounterSeries,
  HistogramSeries,
} from "../../../core/observe/metrics.ts";
import {
  type AnyHandler,
  type BoundHandler,
  type HandlerOwner,
  type HandlerTable,
  handles,
  runHandlers,
  type ScopedHandlers,
  withHandler,
} from "../../../core/session/handlers.ts";
import { verdicts } from "../../../core/verdict.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";

/** A table without handlers. */
const NO_HANDLERS: HandlerTable = CALLBACK_POINTS.map(() => null);

const HERE = POINT.foundProduct;

function bound(
  run: AnyHandler,
  more: Partial<BoundHandler> = {},
): BoundHandler {
  return {
    plugin: "p",
    point: "foundProduct",
    run,
    order: 0,
    place: 0,
    timeout: 5_000,
    onError: "refuse",
    errors: new CounterSeries(),
    duration: new HistogramSeries([1]),
    calls: 0,
    ...more,
  };
}

/** An owner that notes what it is told. */
class FakeOwner implements HandlerOwner {
  readonly clock = new FakeClock();
  readonly deadlines = new Deadlines(this.clock);
  readonly told: string[] = [];
  table: HandlerTable = NO_HANDLERS;
  sessionHandlers: ScopedHandlers | undefined;
  transactionHandlers: ScopedHandlers | undefined;

  constructor(...handlers: readonly BoundHandler[]) {
    this.table = NO_HANDLERS.map((_, point) =>
      point === HERE && handlers.length > 0 ? handlers : null
    );
  }

  handlerBegins(): undefined {
    this.told.push("begins");
  }
  handlerWaits(): void {
    this.told.push("waits");
  }
  handlerEnds(): void {
    this.told.push("ends");
  }
  handlerFailed(_handler: BoundHandler, error: ProxyError): void {
    this.told.push(error.code);
  }
  abortSignal(reason: ProxyError): void {
    this.told.push(`abort ${reason.code}`);
  }
}

Deno.test("runHandlers gives no promise for sync handlers", () => {
  const owner = new FakeOwner(
    bound(() => undefined),
    bound(() => verdicts.goOn),
    bound(() => undefined),
  );
  assertEquals(runHandlers(owner, HERE, {}), undefined);
  const close = new FakeOwner(bound(() => verdicts.close));
  assertEquals(runHandlers(close, HERE, {}), verdicts.close);
});

Deno.test("runHandlers without handlers tells nobody of anything", () => {
  const owner = new FakeOwner();
  assert(!handles(owner, HERE));
  assertEquals(runHandlers(owner, HERE, {}), undefined);
  assertEquals(owner.told, []);
});

Deno.test("runHandlers hands the views on", () => {
  const views: unknown[] = [];
  const owner = new FakeOwner(bound((...given) => {
    views.push(...given);
  }));
  runHandlers(owner, HERE, 1, 2, 3);
  assertEquals(views, [1, 2, 3]);
});

Deno.test("runHandlers gives a promise from the first async handler on, and walks on after it", async () => {
  const ran: string[] = [];
  const owner = new FakeOwner(
    bound(() => void ran.push("sync")),
    bound(async () => {
      await Promise.resolve();
      ran.push("async");
    }),
    bound(() => {
      ran.push("after");
      return verdicts.close;
    }),
    bound(() => void ran.push("skipped")),
  );
  const outcome = runHandlers(owner, HERE, {});
  assertEquals(ran, ["sync"]);
  assert(outcome instanceof Promise);
  assertEquals(await outcome, verdicts.close);
  assertEquals(ran, ["sync", "async", "after"]);
  assertEquals(owner.clock.pending, 0);
});

Deno.test("runHandlers takes any thenable", async () => {
  const owner = new FakeOwner(bound(() => ({
    then: (resolve: (value: unknown) => void) => resolve(verdicts.close),
  })));
  assertEquals(await runHandlers(owner, HERE, {}), verdicts.close);
});

Deno.test("runHandlers tells when a handler begins, waits and ends", async () => {
  const owner = new FakeOwner(
    bound(() => undefined),
    bound(() => Promise.resolve(undefined)),
  );
  await runHandlers(owner, HERE, {});
  assertEquals(owner.told, ["begins", "ends", "begins", "waits", "ends"]);
});

Deno.test("runHandlers ends a late handler by its deadline", async () => {
  const handler = bound(() => new Promise(() => {}), { timeout: 1_000 });
  const owner = new FakeOwner(handler);
  const outcome = runHandlers(owner, HERE, {});
  owner.clock.advance(999);
  assertEquals(owner.told, ["begins", "waits"]);
  // Deadlines are coarse: never early, but up to two sweeps late.
  owner.clock.advance(101);
  const error = await assertRejects(() => Promise.resolve(outcome), ProxyError);
  assertEquals(error.code, "handler_timeout");
  assertEquals(
    error.message,
    'Plugin "p" failed at foundProduct: No answer within 1000 ms',
  );
  assertEquals(owner.told, [
    "begins",
    "waits",
    "abort handler_timeout",
    "handler_timeout",
    "ends",
  ]);
  assertEquals(handler.errors.value, 1);
  assertEquals(owner.clock.pending, 0);
});

Deno.test("runHandlers throws what a handler throws as its plugin's failure, and counts it", () => {
  const handler = bound(() => {
    throw new Error("boom");
  });
  const owner = new FakeOwner(handler);
  const error = assertThrows(() => runHandlers(owner, HERE, {}), ProxyError);
  assertEquals(error.side, "plugin");
  assertEquals(error.status, 500);
  assertEquals(error.message, 'Plugin "p" failed at foundProduct: boom');
  assertEquals(handler.errors.value, 1);
  assertEquals(owner.told, ["begins", "ends", "handler_error"]);
});

Deno.test("runHandlers goes on after a failure that is ignored, and counts it", () => {
  const failing = bound(() => {
    throw new Error("boom");
  }, { onError: "ignore" });
  const owner = new FakeOwner(failing, bound(() => verdicts.close));
  assertEquals(runHandlers(owner, HERE, {}), verdicts.close);
  assertEquals(failing.errors.value, 1);
});

for (
  const point of ["requestFinish", "transactionClose", "finish"] as const
) {
  Deno.test(`runHandlers only tells of a failure at ${point}`, () => {
    const handler = bound(() => {
      throw new Error("boom");
    }, { point });
    const owner = new FakeOwner();
    owner.sessionHandlers = [];
    owner.sessionHandlers[POINT[point]] = [handler];
    assertEquals(runHandlers(owner, POINT[point], {}), undefined);
    assertEquals(handler.errors.value, 1);
    assertEquals(owner.told, ["begins", "ends", "handler_error"]);
  });
}

Deno.test("runHandlers times every sixteenth sync call, and each async one", async () => {
  const sync = bound(() => undefined);
  for (let i = 0; i < 32; i++) runHandlers(new FakeOwner(sync), HERE, {});
  // What is timed stands for the calls that are not.
  assertEquals(sync.duration.counts[0], 32);
  const slow = bound(() => Promise.resolve(undefined));
  for (let i = 0; i < 3; i++) await runHandlers(new FakeOwner(slow), HERE, {});
  assertEquals(slow.duration.counts[0], 3);
});

Deno.test("withHandler keeps the order, and leaves the list that it is given", () => {
  const of = (order: number, place: number) =>
    bound(() => undefined, { order, place });
  const first = withHandler(undefined, of(1, 0));
  const second = withHandler(first, of(0, 5));
  const third = withHandler(second, of(0, 2));
  assertEquals(first.length, 1);
  assertEquals(second.length, 2);
  assertEquals(
    third.map(({ order, place }) => [order, place]),
    [[0, 2], [0, 5], [1, 0]],
  );
});
