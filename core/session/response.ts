/**
 * A response on its way to the client, as plugins see it and as it leaves.
 *
 * @module
 */
import type { Fields } from "../message/fields.ts";
import type { OutgoingResponse } from "../message/head.ts";
import type { HttpResponse } from "../plugin.ts";
import { reasonOf } from "./reason_phrases.ts";

/** Whether a response of this status to this method has a body (RFC 9112 §6.3). */
export function hasBody(method: string | undefined, status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304 &&
    method !== "HEAD";
}

/** What a response is made of. */
export interface ResponseInit {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
  readonly from: HttpResponse["from"];
  /** Declared length of the body that the method and status would have, -1 unknown, undefined where nothing is said. */
  readonly bodyLength: number | undefined;
  /** The request's method: HEAD has no body. */
  readonly method: string | undefined;
}

/** A response; its body goes beside it. */
export class Response implements HttpResponse, OutgoingResponse {
  readonly fields: Fields;
  readonly from: HttpResponse["from"];
  readonly bodyLength: number | undefined;
  readonly hasBody: boolean;
  #status: number;
  #reason: string;

  constructor(init: ResponseInit) {
    this.#status = init.status;
    this.#reason = init.reason;
    this.fields = init.fields;
    this.from = init.from;
    this.bodyLength = init.bodyLength;
    this.hasBody = hasBody(init.method, init.status);
  }

  get status(): number {
    return this.#status;
  }

  set status(status: number) {
    const [least, most] = range(this.#status);
    if (!Number.isInteger(status) || status < least || status > most) {
      throw new RangeError(
        `Cannot set the status as it must be ${least} to ${most}: current value is ${status}`,
      );
    }
    if (isBodiless(status) !== isBodiless(this.#status)) {
      throw new RangeError(
        `Cannot set the status to ${status} as that changes how the body is framed: it is ${this.#status}`,
      );
    }
    if (status === this.#status) return;
    this.#status = status;
    // The phrase told of the other one.
    this.#reason = reasonOf(status);
  }

  get reason(): string {
    return this.#reason;
  }

  get headers(): Fields {
    return this.fields;
  }

  get length(): number | undefined {
    return this.bodyLength === undefined || this.bodyLength < 0
      ? undefined
      : this.bodyLength;
  }
}

/** From and to where a status may be changed: what is final stays so; 100 and 101 do what no other does. */
function range(status: number): readonly [number, number] {
  if (status >= 200) return [200, 599];
  return status > 101 ? [102, 199] : [status, status];
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}
