/**
 * Who hears of handlers' runs: a transaction's trace, and plugins that observe.
 * Where nobody does, a run costs a comparison.
 *
 * @module
 */
import {
  CALLBACK_POINTS,
  type PointName,
  type VerdictKind,
} from "../callback_points.ts";
import { asProxyError, type ProxyError } from "../errors.ts";
import type { CounterSeries } from "../observe/metrics.ts";
import type { HandlerEnded, HandlerRun, Log } from "../plugin.ts";
import type { Verdict } from "../verdict.ts";

/** Hears how a run ended: its verdict, undefined for going on, or its failure, an ignored one too. Never throws. */
export type RunEnded = (
  verdict: Verdict | undefined,
  error: ProxyError | undefined,
) => void;

/** A plugin's `handlerStarted` with where its failures are counted. */
export interface HandlerObserver {
  /** The plugin instance's name. */
  readonly plugin: string;
  readonly started: (run: HandlerRun) => HandlerEnded | undefined;
  readonly errors: CounterSeries;
}

/** Points whose handlers get an attempt. */
const OF_ATTEMPT: ReadonlySet<PointName> = new Set(
  CALLBACK_POINTS
    .filter(({ handler }) =>
      handler === "forward" || handler === "attemptResponse"
    )
    .map(({ name }) => name),
);

/** Whether it is one of an attempt's points. */
export function isOfAttempt(point: PointName): boolean {
  return OF_ATTEMPT.has(point);
}

/** Tells the observers that a handler begins; what comes back tells them of its end. What they throw is counted and logged. */
export function tellStarted(
  observers: readonly HandlerObserver[],
  run: HandlerRun,
  log: Log,
): RunEnded | undefined {
  let ended: RunEnded | undefined;
  for (const observer of observers) {
    ended = both(ended, start(observer, run, log));
  }
  return ended;
}

/** Both of them, where there are two. */
export function both(
  first: RunEnded | undefined,
  second: RunEnded | undefined,
): RunEnded | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return (verdict, error) => {
    first(verdict, error);
    second(verdict, error);
  };
}

/** A verdict's kind; undefined for going on. */
export function kindOf(verdict: Verdict | undefined): VerdictKind | undefined {
  return verdict === undefined || verdict.kind === "goOn"
    ? undefined
    : verdict.kind;
}

function start(
  observer: HandlerObserver,
  run: HandlerRun,
  log: Log,
): RunEnded | undefined {
  const failed = (thrown: unknown) => {
    observer.errors.add(1);
    log.warn("A plugin's handlerStarted failed", {
      plugin: observer.plugin,
      error: asProxyError(thrown, "handler_error"),
    });
  };
  try {
    const ended = observer.started(run);
    if (ended === undefined) return undefined;
    if (typeof ended !== "function") {
      throw new TypeError(
        `Expected a function or undefined: it returned a ${typeof ended}`,
      );
    }
    return (verdict, error) => {
      try {
        ended({ verdict: kindOf(verdict), error });
      } catch (thrown) {
        failed(thrown);
      }
    };
  } catch (thrown) {
    failed(thrown);
    return undefined;
  }
}
