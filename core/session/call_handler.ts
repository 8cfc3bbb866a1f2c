/**
 * One handler's call: its answer guarded, its time limited, its failure turned
 * into what the config wants.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { Alternate, HttpRequest } from "../plugin.ts";
import { guardVerdict, type VerdictPoint } from "../plugins/guard_verdict.ts";
import type { Verdict } from "../verdict.ts";
import type { BoundHandler, HandlerOwner } from "./handlers.ts";
import type { RunEnded } from "./handler_runs.ts";
import { sendable } from "./made_responses.ts";

/** From requestFinish on a failing handler is only logged: nothing is left to refuse. */
const ONLY_LOGGED = POINT.requestFinish;

/** One in so many calls of a sync handler is timed: two looks at the clock cost 170 ns (measured). */
const TIMED = 16;

/**
 * Calls it: a verdict, undefined for going on, or a promise where it gave one.
 * Throws or rejects with a ProxyError where it fails and is not to be ignored.
 */
export function callHandler(
  owner: HandlerOwner,
  handler: BoundHandler,
  first: unknown,
  second: unknown,
  third: unknown,
): Verdict | undefined | Promise<Verdict | undefined> {
  const timed = handler.calls++ % TIMED === 0;
  const started = timed ? performance.now() : 0;
  const ended = owner.handlerBegins(handler);
  try {
    const answer = handler.run(first, second, third);
    if (isThenable(answer)) return awaitAnswer(owner, handler, answer, ended);
    owner.handlerEnds(handler);
    if (timed) {
      handler.duration.observe((performance.now() - started) / 1000, TIMED);
    }
    const verdict = accepted(handler, answer);
    if (ended !== undefined) ended(verdict, undefined);
    return verdict;
  } catch (thrown) {
    owner.handlerEnds(handler);
    return failed(owner, handler, thrown, ended);
  }
}

/**
 * Calls a handler at selectAlternate: the quality that it gives, 1 where it says
 * nothing or fails and that is to be ignored. Throws a ProxyError else.
 */
export function callForQuality(
  owner: HandlerOwner,
  handler: BoundHandler,
  request: HttpRequest,
  alternate: Alternate,
): number {
  const timed = handler.calls++ % TIMED === 0;
  const started = timed ? performance.now() : 0;
  const ended = owner.handlerBegins(handler);
  try {
    const quality = guardQuality(handler.run(request, alternate));
    owner.handlerEnds(handler);
    if (timed) {
      handler.duration.observe((performance.now() - started) / 1000, TIMED);
    }
    if (ended !== undefined) ended(undefined, undefined);
    return quality;
  } catch (thrown) {
    owner.handlerEnds(handler);
    failed(owner, handler, thrown, ended);
    return 1;
  }
}

function guardQuality(answer: unknown): number {
  if (answer === undefined) return 1;
  if (typeof answer === "number" && answer >= 0 && answer <= 1) return answer;
  throw new TypeError(
    `Expected a quality from 0 to 1: current value is ${
      typeof answer === "number" ? answer : typeof answer
    }`,
  );
}

async function awaitAnswer(
  owner: HandlerOwner,
  handler: BoundHandler,
  answer: PromiseLike<unknown>,
  ended: RunEnded | undefined,
): Promise<Verdict | undefined> {
  const started = performance.now();
  const deadline = new HandlerDeadline(owner, handler);
  owner.deadlines.add(deadline);
  owner.handlerWaits();
  try {
    // Promise.race handles the loser's rejection too.
    const value = await Promise.race([answer, deadline.passed]);
    const verdict = accepted(handler, value);
    if (ended !== undefined) ended(verdict, undefined);
    return verdict;
  } catch (thrown) {
    return failed(owner, handler, thrown, ended);
  } finally {
    owner.handlerEnds(handler);
    owner.deadlines.delete(deadline);
    handler.duration.observe((performance.now() - started) / 1000);
  }
}

/** The verdict of a legal answer, undefined for going on. */
function accepted(
  handler: BoundHandler,
  answer: unknown,
): Verdict | undefined {
  // selectAlternate's handlers, which answer a quality, have a walk of their own.
  const verdict = guardVerdict(handler.point as VerdictPoint, answer);
  return verdict === undefined ? undefined : withSendable(verdict);
}

/** Whatever is wrong with a response shows now, as its handler's failure. */
function withSendable(verdict: Verdict): Verdict {
  switch (verdict.kind) {
    case "respond":
      return { kind: "respond", response: sendable(verdict.response) };
    case "finish":
      return verdict.response === undefined
        ? verdict
        : { kind: "finish", response: sendable(verdict.response) };
    default:
      return verdict;
  }
}

function failed(
  owner: HandlerOwner,
  handler: BoundHandler,
  thrown: unknown,
  ended: RunEnded | undefined,
): undefined {
  const error = asProxyError(thrown, "handler_error");
  handler.errors.add(1);
  const told = new ProxyError(
    error.code,
    `Plugin "${handler.plugin}" failed at ${handler.point}: ${error.message}`,
    { cause: error.cause ?? error },
  );
  owner.handlerFailed(handler, told);
  if (ended !== undefined) ended(undefined, told);
  if (handler.onError === "ignore" || POINT[handler.point] >= ONLY_LOGGED) {
    return undefined;
  }
  throw told;
}

/** The time limit of one async handler. */
class HandlerDeadline implements Expiring {
  place = NOWHERE;
  readonly deadline: number;
  readonly passed: Promise<never>;
  readonly #owner: HandlerOwner;
  readonly #timeout: number;
  #reject: (reason: ProxyError) => void = () => {};

  constructor(owner: HandlerOwner, handler: BoundHandler) {
    this.#owner = owner;
    this.#timeout = handler.timeout;
    this.deadline = owner.deadlines.after(handler.timeout);
    this.passed = new Promise((_, reject) => this.#reject = reject);
  }

  expire(): void {
    const error = new ProxyError(
      "handler_timeout",
      `No answer within ${this.#timeout} ms`,
    );
    this.#owner.abortSignal(error);
    this.#reject(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as PromiseLike<unknown>).then === "function";
}
