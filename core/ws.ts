/**
 * What dialers get as `setup`'s `ws`, and how their errors are told from others.
 *
 * @module
 */
import type {
  ConnectionDeclinedError,
  DeclinedResponse,
  SystemUnavailableError,
  WebSocketTools,
} from "./plugin.ts";

/** Marks the errors, whichever copy of this module made them. */
const BRAND = Symbol.for("headrace.remoteSystemError");

/** An error of a dialer. */
class RemoteSystemFailure extends Error {
  override readonly name: string;
  readonly [BRAND]: "declined" | "unavailable";
  readonly id: string;
  readonly code: number | undefined;
  readonly response: DeclinedResponse | undefined;

  constructor(
    kind: "declined" | "unavailable",
    id: string,
    message: string,
    facts: {
      readonly code: number | undefined;
      readonly response?: DeclinedResponse | undefined;
    },
  ) {
    super(message);
    this.name = kind === "declined"
      ? "ConnectionDeclinedError"
      : "SystemUnavailableError";
    this[BRAND] = kind;
    this.id = id;
    this.code = facts.code;
    this.response = facts.response;
  }
}

/** The makers and constants that `setup` gets. */
export const webSocketTools: WebSocketTools = Object.freeze({
  connectionDeclined(
    id: string,
    message: string,
    code: number,
    response?: DeclinedResponse,
  ): ConnectionDeclinedError {
    if (!Number.isInteger(code) || code < 300 || code > 599) {
      throw new RangeError(
        `Cannot decline with a code outside 300 to 599: current value is ${code}`,
      );
    }
    const facts = { code, response };
    return new RemoteSystemFailure(
      "declined",
      id,
      message,
      facts,
    ) as ConnectionDeclinedError;
  },
  systemUnavailable(
    id: string,
    message: string,
    code?: number,
  ): SystemUnavailableError {
    return new RemoteSystemFailure("unavailable", id, message, { code });
  },
  NORMAL_CLOSURE: 32,
  ABNORMAL_CLOSURE: 64,
  RESULT_SUCCESS: 1,
  RESULT_NO_ACTION: 3,
  RESULT_FAILED: 4,
  SUBPROTOCOL_HEADER: "Sec-WebSocket-Protocol",
  FORWARDED_FOR_HEADER: "X-Forwarded-For",
});

/** Whether a backend refused the client. */
export function isDeclined(thrown: unknown): thrown is ConnectionDeclinedError {
  return kindOf(thrown) === "declined";
}

/** Whether no backend can be had now. */
export function isUnavailable(
  thrown: unknown,
): thrown is SystemUnavailableError {
  return kindOf(thrown) === "unavailable";
}

function kindOf(thrown: unknown): unknown {
  return typeof thrown === "object" && thrown !== null
    ? (thrown as { readonly [BRAND]?: unknown })[BRAND]
    : undefined;
}
