/**
 * Heads of messages as a transaction knows them: no protocol's bytes.
 *
 * @module
 */
import type { Fields, PreparedFields } from "./fields.ts";

/** A request's head, parsed and validated by a codec. */
export interface RequestHead {
  readonly method: string;
  readonly version: "1.0" | "1.1" | "2";
  /** Origin form (path and query) or `*`: an absolute form has become Host and path. */
  readonly target: string;
  readonly fields: Fields;
  /** The field lines that it came with, whatever handlers have made of them; readable for as long as `fields`. */
  readonly received: Iterable<readonly [string, string]>;
  /** The Host that it came with, whatever handlers have made of that; undefined where it had none. */
  readonly host: string | undefined;
  /** Declared length of the body, -1 where it ends by itself, 0 where there is none. */
  readonly bodyLength: number;
  /** The client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean;
  /** The client takes trailers, and so may send some (`TE: trailers`). */
  readonly takesTrailers: boolean;
  /** It has a field for this proxy alone: X-Headrace-Explain or X-Headrace-Token. */
  readonly asksProxy: boolean;
  /** It came with Authorization, whatever handlers have left of that. */
  readonly authorized: boolean;
  /** The protocol that the client wants to switch to, lower-cased; undefined where it wants none. */
  readonly upgrade: string | undefined;
}

/** A response's head, interim ones too. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
  /** Declared length of the body, -1 where it ends by itself, 0 where there is none. */
  readonly bodyLength: number;
}

/** A request as it leaves for a backend. */
export interface OutgoingRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  /** As in {@linkcode RequestHead}; -1 is sent as chunks. */
  readonly bodyLength: number;
  /** The protocol to ask for, undefined for none. */
  readonly upgrade: string | undefined;
  /** Whether trailers are relayed, the request's and its response's. Default false. */
  readonly trailers?: boolean;
  /** Lines to add behind `fields`. */
  readonly prepared: PreparedFields | undefined;
}

/** A response as it leaves for the client. */
export interface OutgoingResponse {
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
  /**
   * What Content-Length says or, with -1, what the codec makes of an unknown
   * length. For HEAD and 304 it is only said: undefined says nothing.
   */
  readonly bodyLength: number | undefined;
  /** Whether body bytes follow; false for HEAD, 1xx, 204 and 304. */
  readonly hasBody: boolean;
}
