/**
 * From a validated request to its cluster: points 4 to 7 and 11.
 *
 * @module
 */
import { POINT } from "../callback_points.ts";
import { BodyWanted, ProxyError } from "../errors.ts";
import type { RequestBody } from "../message/body.ts";
import {
  bufferBody,
  type BufferLimits,
  checkBuffered,
  MAX_JSON,
} from "../message/buffered_body.ts";
import type { OutgoingResponse } from "../message/head.ts";
import { ListFields } from "../message/list_fields.ts";
import type { HttpRequest, Lookup } from "../plugin.ts";
import type { RedirectConfig } from "../config/config.ts";
import { lookUpInCache } from "./caching.ts";
import {
  ALLOWED_METHODS,
  fromParts,
  redirectTo,
  sendable,
} from "./made_responses.ts";
import { formatHost } from "../net/address.ts";
import { hopsLeft } from "./max_forwards.ts";
import { type Outcome, replyOf, replyWith } from "./reply.ts";
import type { Transaction } from "./transaction.ts";
import { STATES } from "./states.ts";

/** What a step ends with: an outcome where a handler or a rule answers, now or later. */
type StepResult = Outcome | undefined | Promise<Outcome | undefined>;

/** The way in steps, so that only a handler that takes its time costs a promise. */
const STEPS: readonly ((transaction: Transaction) => StepResult)[] = [
  (transaction) => ask(transaction, POINT.readRequestHeader),
  (transaction) => {
    transaction.move(STATES.locate);
    return ask(transaction, POINT.beforeLocation);
  },
  (transaction) => {
    findProduct(transaction);
    transaction.move(STATES.product);
    return ask(transaction, POINT.foundProduct);
  },
  followRule,
  (transaction) => {
    transaction.move(STATES.routed);
    return ask(transaction, POINT.afterLocation);
  },
  bufferRequest,
  (transaction) => {
    const { cache } = transaction.snapshot;
    return cache === undefined
      ? skipLookup(transaction)
      : lookUpInCache(transaction, cache, () => skipLookup(transaction));
  },
  endHere,
];

/**
 * Finds product, rule and cluster: an outcome where a handler or a rule
 * answers, undefined where the request is to be forwarded. Throws or rejects
 * with a ProxyError.
 */
export function locate(transaction: Transaction, step = 0): StepResult {
  for (let i = step; i < STEPS.length; i++) {
    const result = STEPS[i]!(transaction);
    if (result === undefined) continue;
    if (!(result instanceof Promise)) return result;
    return result.then((outcome) => outcome ?? locate(transaction, i + 1));
  }
  return undefined;
}

function skipLookup(transaction: Transaction): StepResult {
  transaction.move(STATES.lookup);
  return ask(transaction, POINT.cacheLookupComplete, SKIPPED);
}

/** There is no cache to look into. */
const SKIPPED: Lookup = Object.freeze({
  result: "skipped",
  alternate: undefined,
});

/** Runs a point of the request; an outcome, now or later, only where a handler wants one. */
function ask(
  transaction: Transaction,
  point: number,
  second?: unknown,
): StepResult {
  const verdict = transaction.fire(point, transaction.request, second);
  if (verdict === undefined) return undefined;
  return verdict instanceof Promise
    ? verdict.then((later) => later && replyOf(transaction, later))
    : replyOf(transaction, verdict);
}

function findProduct(transaction: Transaction): void {
  const { host } = transaction.request!;
  const product = transaction.listener.products.find(host);
  if (product === undefined) {
    throw new ProxyError(
      "no_product",
      `No product serves the host ${JSON.stringify(host)}`,
    );
  }
  transaction.product = product;
  transaction.table = transaction.listener.handlersOf(product.name);
  transaction.observers = transaction.listener.observersOf(product.name);
}

/** Reads the whole body where the cluster wants that. */
function bufferRequest(transaction: Transaction): StepResult {
  const { requestBuffer } = transaction.snapshot
    .cluster(transaction.cluster!)!.config;
  const { body } = transaction.exchange;
  return requestBuffer === undefined || body === null
    ? undefined
    : readWhole(transaction, body, requestBuffer);
}

async function readWhole(
  transaction: Transaction,
  body: RequestBody,
  limits: BufferLimits,
): Promise<Outcome | undefined> {
  transaction.move(STATES.buffer);
  if (transaction.buffered === undefined) {
    await buffer(transaction, body, limits);
  } else {
    // The rules had it read by a bound of their own.
    checkBuffered(transaction.buffered.length, limits);
  }
  return await ask(transaction, POINT.requestBuffered);
}

async function buffer(
  transaction: Transaction,
  body: RequestBody,
  limits: BufferLimits,
): Promise<void> {
  const { exchange, head } = transaction;
  checkBuffered(head!.bodyLength, limits);
  // Nobody behind here is asked before the body is there (RFC 9110 §10.1.1).
  if (head!.expectsContinue && exchange.takesInterim) {
    await exchange.sendInterim(CONTINUE);
  }
  transaction.buffered = await bufferBody(body, limits);
}

const CONTINUE: OutgoingResponse = Object.freeze({
  status: 100,
  reason: "Continue",
  fields: new ListFields(),
  bodyLength: undefined,
  hasBody: false,
});

/** The last hop that the client allows is the one that answers (RFC 9110 §7.6.2). */
function endHere({ head, request }: Transaction): Outcome | undefined {
  if (hopsLeft(request!.method, request!.headers) !== 0) return undefined;
  const answer = sendable({
    status: 204,
    headers: { allow: ALLOWED_METHODS },
  });
  return replyWith(fromParts(answer, head!.method, "proxy"));
}

/** The rule's own response, or its cluster set where it has one. A handler that set a cluster before has decided. */
function followRule(transaction: Transaction): StepResult {
  if (transaction.cluster !== undefined) return undefined;
  try {
    return follow(transaction);
  } catch (thrown) {
    if (!(thrown instanceof BodyWanted)) throw thrown;
    return followWithBody(transaction);
  }
}

/** A rule asks for the body: it is read, and the rules are asked again. */
async function followWithBody(
  transaction: Transaction,
): Promise<Outcome | undefined> {
  await buffer(transaction, transaction.exchange.body!, RULE_BODY);
  return follow(transaction);
}

/** What rules look into is held in memory: they are asked at once. */
export const RULE_BODY: BufferLimits = Object.freeze({
  bytes: MAX_JSON,
  disk: undefined,
});

function follow(transaction: Transaction): Outcome | undefined {
  const request = transaction.request!;
  const product = transaction.product!;
  const rule = product.match(request);
  if (rule === undefined) {
    throw new ProxyError(
      "no_rule",
      `No rule of the product "${product.name}" matches`,
    );
  }
  transaction.rule = rule;
  const { redirect, respond, cluster } = rule.config;
  if (redirect !== undefined) {
    const url = redirectUrl(request, redirect);
    const { method } = transaction.head!;
    return replyWith(redirectTo(url, redirect.status, method, "proxy"));
  }
  if (respond !== undefined) {
    const { method } = transaction.head!;
    return replyWith(fromParts(sendable(respond), method, "proxy"));
  }
  transaction.cluster = cluster;
  return undefined;
}

/**
 * Where a rule's redirect leads this request: to its own URL, or to the one that
 * the client asked for by another scheme. Throws `bad_request` where the scheme
 * changes and the client named no host.
 */
export function redirectUrl(
  { host, target }: HttpRequest & { readonly target: string },
  { to, scheme, port }: RedirectConfig,
): string {
  if (to !== undefined) return to;
  if (host === "") {
    throw new ProxyError("bad_request", "The request to redirect has no host");
  }
  const portPart = port === undefined ? "" : `:${port}`;
  // `*` is no path; the server as a whole is asked.
  const path = target === "*" ? "/" : target;
  return `${scheme}://${formatHost(host)}${portPart}${path}`;
}
