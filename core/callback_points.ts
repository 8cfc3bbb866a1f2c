/**
 * The one table of callback points, in the order in which they fire.
 *
 * Handler types, the chain that runs them, the guard for untyped plugins, the
 * page of `headrace points`, the admin listing and the tests' tracer derive
 * from it. To add a point, add a row here: the compiler names what is missing.
 *
 * @module
 */

/** What a handler answers; see `core/verdict.ts` for what each one does. */
export type VerdictKind = "respond" | "redirect" | "finish" | "close" | "retry";

/** The shapes of handlers; `core/plugin.ts` gives each its parameters. */
export type HandlerKind =
  | "accept"
  | "transaction"
  | "request"
  | "alternate"
  | "lookup"
  | "forward"
  | "attemptResponse"
  | "response"
  | "finish";

/** One row of the table. */
export interface CallbackPointSpec {
  /** The key under which plugins register handlers. */
  readonly name: string;
  readonly handler: HandlerKind;
  /** Verdicts legal here besides going on. */
  readonly verdicts: readonly VerdictKind[];
  /**
   * Whether `finish` may, must or must not bring a response here: before there
   * is one it must, once it is out it can't.
   */
  readonly finishResponse: "must" | "may" | "none";
  /** An async handler may answer a promise; a sync one may not. */
  readonly mode: "async" | "sync";
  /** The earliest scope that a handler here can have: product-scoped handlers exist once the product is known. */
  readonly products: boolean;
  /** BFE's name of this moment. */
  readonly bfe?: string;
  /** Apache Traffic Server's name of this moment. */
  readonly ats?: string;
  /** When it fires. */
  readonly fires: string;
}

const REQUEST_VERDICTS = [
  "respond",
  "redirect",
  "finish",
  "close",
] as const satisfies readonly VerdictKind[];

const ATTEMPT_VERDICTS = [
  "respond",
  "finish",
  "close",
] as const satisfies readonly VerdictKind[];

/** Every callback point, in order. */
export const CALLBACK_POINTS = [
  {
    name: "accept",
    handler: "accept",
    verdicts: ["close"],
    finishResponse: "none",
    mode: "async",
    products: false,
    bfe: "HandleAccept",
    ats: "SSN_START",
    fires: "TCP connection established, PROXY header read, no other byte read",
  },
  {
    name: "handshake",
    handler: "accept",
    verdicts: ["close"],
    finishResponse: "none",
    mode: "async",
    products: false,
    bfe: "HandleHandshake",
    fires: "TLS handshake done",
  },
  {
    name: "transactionStart",
    handler: "transaction",
    verdicts: ["close"],
    finishResponse: "none",
    mode: "async",
    products: false,
    ats: "TXN_START",
    fires: "the first byte of a request that is not an ignored empty line",
  },
  {
    name: "readRequestHeader",
    handler: "request",
    verdicts: REQUEST_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: false,
    ats: "READ_REQUEST_HDR",
    fires: "head parsed and validated, client address known",
  },
  {
    name: "beforeLocation",
    handler: "request",
    verdicts: REQUEST_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: false,
    bfe: "HandleBeforeLocation",
    ats: "PRE_REMAP",
    fires: "before the product is looked up",
  },
  {
    name: "foundProduct",
    handler: "request",
    verdicts: REQUEST_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: true,
    bfe: "HandleFoundProduct",
    fires: "product known, before the cluster is",
  },
  {
    name: "afterLocation",
    handler: "request",
    verdicts: REQUEST_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: true,
    bfe: "HandleAfterLocation",
    ats: "POST_REMAP",
    fires:
      "cluster known; changing the cluster here works; the cache key is fixed after it",
  },
  {
    name: "requestBuffered",
    handler: "request",
    verdicts: REQUEST_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: true,
    ats: "REQUEST_BUFFER_READ_COMPLETE",
    fires:
      "only where buffering is on: the whole body is at hand, before a backend is chosen",
  },
  {
    name: "selectAlternate",
    handler: "alternate",
    verdicts: [],
    finishResponse: "none",
    mode: "sync",
    products: true,
    ats: "SELECT_ALT",
    fires: "per stored alternate: a quality 0…1, 0 vetoes",
  },
  {
    name: "readCacheHeader",
    handler: "lookup",
    verdicts: [],
    finishResponse: "none",
    mode: "async",
    products: true,
    ats: "READ_CACHE_HDR",
    fires: "on every cache hit, stale ones too, before freshness is judged",
  },
  {
    name: "cacheLookupComplete",
    handler: "lookup",
    verdicts: ATTEMPT_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: true,
    ats: "CACHE_LOOKUP_COMPLETE",
    fires:
      "the result is miss, hit-stale, hit-fresh or skipped; hit→miss and fresh↔stale may be set, miss→hit only by respond",
  },
  {
    name: "forward",
    handler: "forward",
    verdicts: ATTEMPT_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: true,
    bfe: "HandleForward",
    fires:
      "subcluster and backend chosen, once per attempt; the backend may be replaced",
  },
  {
    name: "resolve",
    handler: "forward",
    verdicts: ATTEMPT_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: true,
    ats: "OS_DNS",
    fires:
      "the backend's addresses known (literal ones and pooled connections too); they may be changed or refused",
  },
  {
    name: "sendRequestHeader",
    handler: "forward",
    verdicts: ATTEMPT_VERDICTS,
    finishResponse: "must",
    mode: "async",
    products: true,
    ats: "SEND_REQUEST_HDR",
    fires:
      "connection at hand, before bytes are sent; each attempt gets a fresh copy of the request",
  },
  {
    name: "readResponseHeader",
    handler: "attemptResponse",
    verdicts: ["retry", "respond", "finish", "close"],
    finishResponse: "must",
    mode: "async",
    products: true,
    ats: "READ_RESPONSE_HDR",
    fires:
      "a response head from a backend, each 1xx too, once per attempt; what it leaves is what the cache stores",
  },
  {
    name: "readResponse",
    handler: "response",
    verdicts: REQUEST_VERDICTS,
    finishResponse: "may",
    mode: "async",
    products: true,
    bfe: "HandleReadResponse",
    fires:
      "once per transaction with the response for this client: a backend's, the cache's, a handler's, or Headrace's own; requests that never parsed skip it",
  },
  {
    name: "sendResponseHeader",
    handler: "response",
    verdicts: ["close"],
    finishResponse: "none",
    mode: "async",
    products: true,
    ats: "SEND_RESPONSE_HDR",
    fires:
      "every final response, errors and redirects too, just before its head is written",
  },
  {
    name: "requestFinish",
    handler: "response",
    verdicts: ["finish"],
    finishResponse: "none",
    mode: "async",
    products: true,
    bfe: "HandleRequestFinish",
    fires:
      "the response is out or given up: once per transaction, always, also after 400s, aborts, handler errors",
  },
  {
    name: "transactionClose",
    handler: "transaction",
    verdicts: [],
    finishResponse: "none",
    mode: "async",
    products: true,
    ats: "TXN_CLOSE",
    fires: "everything is final: bytes, timings, error, attempts",
  },
  {
    name: "finish",
    handler: "finish",
    verdicts: [],
    finishResponse: "none",
    mode: "async",
    products: false,
    bfe: "HandleFinish",
    ats: "SSN_CLOSE",
    fires:
      "connection closed, once per accepted connection, also for refused and failed ones",
  },
] as const satisfies readonly CallbackPointSpec[];

/** The rows' exact types, from which everything else is derived. */
export type AnyPointRow = (typeof CALLBACK_POINTS)[number];

/** The name of a callback point. */
export type PointName = AnyPointRow["name"];

/** The row of the point `P`. */
export type PointRow<P extends PointName> = Extract<AnyPointRow, { name: P }>;

/** Each point's place in the table: handler lists are arrays by this number. */
export type PointIndex = { readonly [P in PointName]: number };

/** A point's number by its name. */
export const POINT: PointIndex = Object.freeze(
  Object.fromEntries(CALLBACK_POINTS.map((row, i) => [row.name, i])),
) as PointIndex;
