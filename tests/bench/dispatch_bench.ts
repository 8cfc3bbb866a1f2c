/**
 * What callback points cost a request: the walk over a point's handlers, with
 * none, one and five of them. Aims, for all points that a request passes: 100 ns
 * with none anywhere, 1 µs with one sync handler at each.
 *
 * @module
 */
import { CALLBACK_POINTS, POINT } from "../../core/callback_points.ts";
import { Deadlines } from "../../core/net/deadlines.ts";
import { CounterSeries, HistogramSeries } from "../../core/observe/metrics.ts";
import {
  type AnyHandler,
  type BoundHandler,
  type HandlerOwner,
  type HandlerTable,
  runHandlers,
} from "../../core/session/handlers.ts";
import { FakeClock } from "../support/clock.ts";

/** What an HTTP request without a cache, a WebSocket session or errors passes. */
const PASSED = [
  "transactionStart",
  "readRequestHeader",
  "beforeLocation",
  "foundProduct",
  "afterLocation",
  "forward",
  "resolve",
  "sendRequestHeader",
  "readResponseHeader",
  "readResponse",
  "sendResponseHeader",
  "requestFinish",
  "transactionClose",
] as const;

const PASSED_POINTS = PASSED.map((name) => POINT[name]);

const deadlines = new Deadlines(new FakeClock());
const request = {};
const response = {};
let calls = 0;

function sync(): undefined {
  calls++;
}

function async(): Promise<undefined> {
  calls++;
  return Promise.resolve(undefined);
}

function bound(
  run: AnyHandler,
  point: BoundHandler["point"],
  place: number,
): BoundHandler {
  return {
    plugin: "bench",
    point,
    run,
    order: 0,
    place,
    timeout: 5_000,
    onError: "refuse",
    errors: new CounterSeries(),
    duration: new HistogramSeries([0.001, 0.01, 0.1, 1]),
    calls: 0,
  };
}

/** An owner with so many handlers at each point, which has nothing else to do. */
function ownerWith(count: number, run: AnyHandler): HandlerOwner {
  const table: HandlerTable = CALLBACK_POINTS.map(({ name }) =>
    count === 0
      ? null
      : Array.from({ length: count }, (_, i) => bound(run, name, i))
  );
  return {
    deadlines,
    table,
    sessionHandlers: undefined,
    transactionHandlers: undefined,
    handlerBegins: () => {},
    handlerWaits: () => {},
    handlerEnds: () => {},
    handlerFailed: (_, error) => {
      throw error;
    },
    abortSignal: () => {},
  };
}

for (const count of [0, 1, 5]) {
  const owner = ownerWith(count, sync);
  const point = POINT.foundProduct;
  calls = 0;
  runHandlers(owner, point, request);
  if (calls !== count) throw new Error(`${calls} of ${count} handlers ran`);

  Deno.bench(`a point with ${count} sync handlers`, { group: "point" }, () => {
    runHandlers(owner, point, request);
  });

  Deno.bench(
    `${PASSED_POINTS.length} points with ${count} sync handlers each`,
    { group: "request" },
    () => {
      for (const passed of PASSED_POINTS) {
        runHandlers(owner, passed, request, response);
      }
    },
  );
}

for (const count of [1, 5]) {
  const owner = ownerWith(count, async);
  Deno.bench(`a point with ${count} async handlers`, {
    group: "async",
  }, async () => {
    await runHandlers(owner, POINT.foundProduct, request);
  });
}
