/**
 * The head of a request that came over HTTP/1.1: strings only for who asks.
 *
 * @module
 */
import type { RequestHead } from "../message/head.ts";
import { ASTERISK_FORM, EMPTY_PATH, type HeadIndex } from "./head_index.ts";
import { Http1Fields } from "./http1_fields.ts";
import { decodeAgain } from "./text.ts";
import {
  AUTHORIZATION,
  TE,
  X_HEADRACE_EXPLAIN,
  X_HEADRACE_TOKEN,
} from "./known_fields.ts";

/** `trailers` among what TE lists; it has no parameters (RFC 9110 §10.1.4). */
const TRAILERS = /(^|,)[ \t]*trailers[ \t]*(,|$)/i;

/** A request's head over the bytes that it came in. */
export class Http1RequestHead implements RequestHead {
  readonly version: "1.0" | "1.1";
  readonly fields: Http1Fields;
  readonly host: string | undefined;
  readonly bodyLength: number;
  readonly expectsContinue: boolean;
  readonly takesTrailers: boolean;
  readonly asksProxy: boolean;
  readonly authorized: boolean;
  /** Whether the client wants another request on this connection. Never in HTTP/1.0: a proxy must not (RFC 9112 §9.3). */
  readonly keepAlive: boolean;
  readonly upgrade: string | undefined;
  #method: string | undefined;
  #target: string | undefined;

  /** The head that `parseRequestHead` has found in `bytes`. */
  constructor(bytes: Uint8Array, index: HeadIndex) {
    this.fields = new Http1Fields(bytes, index);
    this.version = index.minor > 0 ? "1.1" : "1.0";
    this.bodyLength = index.chunked ? -1 : Math.max(index.contentLength, 0);
    this.expectsContinue = index.expectsContinue;
    this.takesTrailers = index.minor > 0 && index.has(TE) &&
      TRAILERS.test(this.fields.get("te")!);
    this.asksProxy = index.has(X_HEADRACE_EXPLAIN) ||
      index.has(X_HEADRACE_TOKEN);
    this.authorized = index.has(AUTHORIZATION);
    this.keepAlive = index.minor > 0 && !index.close;
    this.upgrade = index.upgradeEnd > 0
      ? this.fields.text(index.upgradeStart, index.upgradeEnd).toLowerCase()
      : undefined;
    if (index.authorityEnd > 0 && !this.fields.has("host")) {
      // An absolute form of HTTP/1.0 may come without a Host to replace.
      const { authorityStart, authorityEnd } = index;
      this.fields.put("host", this.fields.text(authorityStart, authorityEnd));
    }
    this.host = this.fields.first("host");
  }

  get received(): Http1Fields {
    return new Http1Fields(this.fields.bytes, this.fields.index);
  }

  get method(): string {
    return this.#method ??= this.#readMethod();
  }

  get target(): string {
    return this.#target ??= this.#readTarget();
  }

  #readMethod(): string {
    const { bytes, index } = this.fields;
    const { methodStart, methodEnd, method } = index;
    return index.method = decodeAgain(bytes, methodStart, methodEnd, method);
  }

  #readTarget(): string {
    const { bytes, index } = this.fields;
    const { targetForm, targetStart, targetEnd, target } = index;
    const text = decodeAgain(bytes, targetStart, targetEnd, target);
    index.target = text;
    if (targetForm === ASTERISK_FORM) return "*";
    return targetForm === EMPTY_PATH ? `/${text}` : text;
  }
}
