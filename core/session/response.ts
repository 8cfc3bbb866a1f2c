/**
 * A response on its way to the client, as plugins see it and as it leaves.
 *
 * @module
 */
import type { Fields } from "../message/fields.ts";
import type { OutgoingResponse } from "../message/head.ts";
import type { HttpResponse } from "../plugin.ts";

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
  readonly reason: string;
  readonly fields: Fields;
  readonly from: HttpResponse["from"];
  readonly bodyLength: number | undefined;
  readonly hasBody: boolean;
  #status: number;

  constructor(init: ResponseInit) {
    this.#status = init.status;
    this.reason = init.reason;
    this.fields = init.fields;
    this.from = init.from;
    this.bodyLength = init.bodyLength;
    this.hasBody = hasBody(init.method, init.status);
  }

  get status(): number {
    return this.#status;
  }

  set status(status: number) {
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new RangeError(
        `Cannot set the status as it must be 200 to 599: current value is ${status}`,
      );
    }
    if (framing(status) !== framing(this.#status)) {
      throw new RangeError(
        `Cannot set the status to ${status} as that changes how the body is framed: it is ${this.#status}`,
      );
    }
    this.#status = status;
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

/** Statuses of one kind are framed alike. */
function framing(status: number): "interim" | "none" | "body" {
  if (status < 200) return "interim";
  return status === 204 || status === 304 ? "none" : "body";
}
