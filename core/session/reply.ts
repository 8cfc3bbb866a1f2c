/**
 * What a transaction answers its client, wherever that comes from.
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { Verdict } from "../verdict.ts";
import type { Attempt } from "./attempt.ts";
import type { ForeignBackend } from "./foreign_backend.ts";
import {
  forFailure,
  fromHandler,
  fromParts,
  type Made,
  redirectTo,
  sendable,
} from "./made_responses.ts";
import type { Response } from "./response.ts";
import type { Transaction } from "./transaction.ts";

/** A response with what has to be done about it. */
export interface Reply {
  readonly response: Response;
  /** Null where no body follows. */
  readonly body: BodyReader | null;
  /** The connection closes after it. */
  readonly close: boolean;
  /** The attempt whose connection the body comes from. */
  readonly attempt: Attempt | undefined;
  /** The connection of a dialer's behind a 101; left out for every other response. */
  readonly foreign?: ForeignBackend;
}

/** What a state ends with: a reply, or `"close"`: nothing is sent. */
export type Outcome = Reply | "close";

/** The reply that a handler's verdict asks for; undefined for a `finish` without a response. */
export function replyOf(
  transaction: Transaction,
  verdict: Verdict,
): Outcome | undefined {
  // As the client sent it: what handlers make of it is for backends.
  const method = transaction.head?.method;
  switch (verdict.kind) {
    case "respond":
      return replyWith(fromHandler(verdict.response, method));
    case "redirect":
      return replyWith(redirectTo(verdict.url, verdict.status, method));
    case "finish":
      return verdict.response === undefined
        ? undefined
        : replyWith(fromHandler(verdict.response, method), true);
    case "close":
      return "close";
    case "retry":
    case "goOn":
      return undefined;
  }
}

/** A reply that does not come from a backend. */
export function replyWith(made: Made, close = false): Reply {
  return { ...made, close, attempt: undefined };
}

/** What an operator's pause of the address answers, as wsbalancer does. */
export function pausedReply({ head }: Transaction): Reply {
  const answer = sendable({
    status: 503,
    headers: { "cache-control": "no-store" },
    body: "Service Unavailable\n",
  });
  return replyWith(fromParts(answer, head?.method, "proxy"));
}

/** Headrace's own reply for a failure. */
export function failureReply(
  { head, id }: Transaction,
  error: ProxyError,
): Reply {
  const request = head && { method: head.method, headers: head.fields };
  // After an error in the head nobody knows where the next request begins.
  return replyWith(forFailure(error, request, id), head === undefined);
}
