/**
 * The head of a response that came over HTTP/1.1, and how its body is framed
 * (RFC 9112 §6.3).
 *
 * @module
 */
import type { ResponseHead } from "../message/head.ts";
import type { HeadIndex } from "./head_index.ts";
import { Http1Fields } from "./http1_fields.ts";

/** A response's head over the bytes that it came in. */
export class Http1ResponseHead implements ResponseHead {
  readonly status: number;
  readonly fields: Http1Fields;
  readonly bodyLength: number;
  /** The body comes in chunks. */
  readonly chunked: boolean;
  /** The body ends with the connection. */
  readonly closeDelimited: boolean;
  /**
   * What Content-Length says of the body that a GET would have: also for HEAD
   * and 304, which have none; undefined where nothing is said or must be (1xx,
   * 204).
   */
  readonly declaredLength: number | undefined;
  /** Whether the backend takes another request on this connection, once the body is read. */
  readonly keepAlive: boolean;
  #reason: string | undefined;

  /** The head that `parseResponseHead` has found in `bytes`, as the answer to a request of `method`. */
  constructor(bytes: Uint8Array, index: HeadIndex, method: string) {
    const { status, contentLength, chunked } = index;
    this.fields = new Http1Fields(bytes, index);
    this.status = status;
    const lengthless = status < 200 || status === 204;
    const bodiless = lengthless || status === 304 || method === "HEAD";
    const declared = contentLength >= 0;
    this.chunked = !bodiless && chunked;
    this.closeDelimited = !bodiless && !chunked && !declared;
    this.bodyLength = bodiless ? 0 : declared ? contentLength : -1;
    this.declaredLength = declared && !lengthless ? contentLength : undefined;
    // A backend that announces a body where none may be will perhaps send it.
    const surplus = lengthless && (chunked || contentLength > 0);
    this.keepAlive = !index.close && !this.closeDelimited && !surplus &&
      (index.minor > 0 || index.keepAlive);
  }

  get reason(): string {
    return this.#reason ??= this.#readReason();
  }

  #readReason(): string {
    const { reasonStart, reasonEnd } = this.fields.index;
    return this.fields.text(reasonStart, reasonEnd);
  }
}
