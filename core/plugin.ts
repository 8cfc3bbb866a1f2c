/**
 * Everything that a plugin sees of Headrace: types, and nothing at run time.
 *
 * A plugin is one ES module with a default export:
 *
 * ```ts
 * import type { Plugin } from "../core/plugin.ts";
 *
 * export default {
 *   name: "hello",
 *   setup({ options, verdict }) {
 *     return {
 *       handlers: {
 *         foundProduct: (request) =>
 *           request.headers.has("x-blocked")
 *             ? verdict.respond({ status: 403, body: "no\n" })
 *             : undefined,
 *         readResponse: (_request, response) => {
 *           response.headers.set("x-served-by", options.name);
 *         },
 *       },
 *     };
 *   },
 * } satisfies Plugin<{ name: string }>;
 * ```
 *
 * Views (session, transaction, request, response, attempt) are valid until the
 * handler that got them is done and, on the same transaction or session, until
 * that ends. Reading a request or response after its transaction closed throws:
 * keep the strings, not the view.
 *
 * @module
 */
import type { PointName, PointRow, VerdictKind } from "./callback_points.ts";
import type {
  BackendDialer,
  SessionListener,
  ValveProvider,
  WebSocketTools,
} from "./plugin_websocket.ts";

export type {
  AnyPointRow,
  CALLBACK_POINTS,
  PointName,
  PointRow,
  VerdictKind,
} from "./callback_points.ts";
export type {
  AdminResult,
  BackendAdministrator,
  BackendConnection,
  BackendDialContext,
  BackendDialer,
  ConnectionDeclinedError,
  DeclinedResponse,
  FrontendConnection,
  Identifier,
  MessageReceiver,
  MessageSender,
  MessageValve,
  PassMessage,
  ProxySession,
  RemoteSystemError,
  SessionListener,
  StartCloseIdentifier,
  StartCloser,
  Starter,
  SystemUnavailableError,
  ValveProvider,
  WebSocketTools,
  WsAbnormalClosure,
  WsBinary,
  WsClosure,
  WsMessage,
  WsNormalClosure,
  WsText,
} from "./plugin_websocket.ts";

// ---------------------------------------------------------------- the plugin

/** A plugin module's default export. */
export interface Plugin<Options = unknown> {
  /** Its name in logs, metrics and listings, unless the config gives another. */
  readonly name: string;
  /**
   * A Standard Schema (zod, valibot, arktype) for the config's `options`,
   * checked before `setup` runs and again on reload. Without one the options
   * come as the config has them.
   */
  readonly options?: StandardSchema<Options>;
  /**
   * Makes an instance: once per worker, for each distinct module and options.
   * The only place for side effects; what it starts ends with `context.signal`
   * or with the returned `close`.
   */
  readonly setup: (
    context: PluginContext<Options>,
  ) => PluginParts | Promise<PluginParts>;
}

/** What `setup` gets. */
export interface PluginContext<Options> {
  /** The instance's name: the config's, else the plugin's own. */
  readonly name: string;
  /** The checked options. */
  readonly options: Options;
  /** Makers of what handlers answer. */
  readonly verdict: Verdicts;
  /** What dialers of WebSocket backends need. */
  readonly ws: WebSocketTools;
  /** Log lines that carry the plugin's name. */
  readonly log: Log;
  /** The plugin's own metrics, shown at `/metrics`, summed over workers. */
  readonly metrics: Metrics;
  /** Counters and maps that the instances in all workers see. */
  readonly shared: Shared;
  /**
   * Sends a request of the plugin's own through a listener of this proxy, as a
   * client would: it meets the same callback points. Rejects with a
   * `TypeError` where `fetch` would, for the 1,001st at once, and for one within
   * eight others: a handler whose request comes to it again asks
   * `session.internal`.
   */
  readonly request: (
    input: Request | URL | string,
    init?: SubrequestInit,
  ) => Promise<Response>;
  /**
   * Opens a file that lines are appended to, one for all workers: the supervisor
   * holds it, rotates it, and opens it anew at each SIGHUP. Relative to the
   * working directory; made where it is not there. Rejects where that fails.
   */
  readonly lineFile: (
    path: string,
    options?: LineFileOptions,
  ) => Promise<LineFile>;
  /**
   * Compiles a condition of the rule language, as a rule's `when` is written,
   * for options that say when something holds. Headrace's own primitives only:
   * plugins' are not there yet when plugins are set up. Throws a `SyntaxError`
   * that says what is wrong; for `setup`, as it takes its time.
   */
  readonly condition: (text: string) => (request: HttpRequest) => boolean;
  /** The same for a condition on a response, which may ask for its request too. */
  readonly responseCondition: (
    text: string,
  ) => (request: HttpRequest, response: HttpResponse) => boolean;
  /**
   * Compiles a regular expression in RE2's syntax, whose time grows with the
   * text's length alone: for whatever a client sends. Throws a `SyntaxError` for
   * a bad one, a `RangeError` for one that is too large.
   */
  readonly pattern: (
    source: string,
    options?: { readonly ignoreCase?: boolean },
  ) => Pattern;
  /**
   * Says, in `setup`, that handlers read facts of TLS that not every listener
   * tells ({@linkcode TlsFacts}): listeners with this plugin then run on one
   * that does. A condition that asks for them, and a handler at handshake, say
   * so by themselves.
   */
  readonly needTlsFacts: () => void;
  /** Time, so that tests can turn it. */
  readonly clock: Clock;
  /** Fires when the instance ends. */
  readonly signal: AbortSignal;
}

/** Options of a plugin's own request. */
export interface SubrequestInit extends RequestInit {
  /** The http listener to enter; by default the first of the config. */
  readonly listener?: string;
}

/** What `setup` returns; every part may be left out. */
export interface PluginParts {
  /** Handlers by callback point. */
  readonly handlers?: Handlers;
  /** Own primitives of the rule language, by name. */
  readonly conditions?: Readonly<Record<string, ConditionFactory>>;
  /** Hears of every change of a backend's state, in every worker; may be async, nothing waits for it. */
  readonly backendChanged?: (event: BackendEvent) => void | Promise<void>;
  /**
   * Hears of every handler that runs where this plugin's own would, other
   * plugins' too: once the product is known for a plugin limited to products.
   * What it returns is called when the handler has answered or failed. Sync, and
   * on the way of every request: without it a handler's run costs nothing more.
   */
  readonly handlerStarted?: (run: HandlerRun) => HandlerEnded | undefined;
  /** Balancing policies that clusters may name in `balance`; each subcluster gets its own. */
  readonly balancers?: Readonly<Record<string, () => BalancePolicy>>;
  /** Changes or drops single messages of WebSocket sessions. */
  readonly valves?: ValveProvider;
  /** Hears of WebSocket sessions. */
  readonly sessionListener?: SessionListener;
  /** Dialers of WebSocket backends that clusters may name in `dialer`. */
  readonly dialers?: Readonly<Record<string, BackendDialer>>;
  /**
   * Answers operators under `/plugins/NAME/` of the admin interface: a Hono app,
   * or whatever else has a `fetch` of this kind.
   */
  readonly admin?: AdminApp;
  /** Runs when the instance ends, after its last session; may be async. */
  readonly close?: () => void | Promise<void>;
}

/**
 * What a plugin shows to operators. It is asked in one worker, whichever comes
 * first: what all of them are to tell lies in `context.shared`. Who may ask was
 * checked before, as for any admin route.
 */
export interface AdminApp {
  /**
   * Answers, with the plugin's `timeout`, after which the request's signal fires.
   * The request's path begins behind `/plugins/NAME`, its body came whole (1 MiB
   * at most), and HEAD comes as GET. The answer's body is read whole (64 MiB at
   * most); what the page may load is nothing, unless the answer has a
   * Content-Security-Policy of its own. A failure is the plugin's: logged,
   * counted, and a 500.
   */
  fetch(request: Request): Response | Promise<Response>;
}

/** A handler's run, for those who observe. */
export interface HandlerRun {
  /** The name of the plugin instance that it is of. */
  readonly plugin: string;
  /** Where it runs. */
  readonly point: PointName;
  /** The connection that it runs for. */
  readonly session: Session;
  /** Undefined at accept, handshake and finish. */
  readonly transaction: Transaction | undefined;
  /** The attempt from forward to readResponseHeader, undefined elsewhere. */
  readonly attempt: Attempt | undefined;
}

/** Is told once how a handler's run ended; sync. */
export type HandlerEnded = (end: HandlerEnd) => void;

/** How a handler's run ended. */
export interface HandlerEnd {
  /** What it answered; undefined where it went on, and at selectAlternate. */
  readonly verdict: VerdictKind | undefined;
  /** How it failed, also where that is ignored. */
  readonly error: Failure | undefined;
}

/**
 * Makes one use of a primitive: called once at load with the arguments that the
 * config gives; throws to refuse them; returns the test, which answers at once.
 * It is asked only where the rules before its own don't match, nor what stands
 * before it in the condition decides.
 */
export type ConditionFactory = (
  ...args: readonly (string | boolean)[]
) => (request: HttpRequest) => boolean;

/** A backend as a balancing policy sees it. */
export interface BalanceMember {
  /** The backend's id. */
  readonly id: string;
  /** Its share now, slow start counted: above 0, no whole number as a rule. */
  readonly weight: number;
  /** Requests and sessions that it serves now, over all workers. */
  readonly load: number;
}

/** For whom a backend is wanted. */
export interface BalanceContext {
  /** The client, through trusted proxies. */
  readonly clientAddress: string;
  /** Undefined for a tcp session. */
  readonly request: HttpRequest | undefined;
}

/**
 * Chooses among the backends of one subcluster. Where it throws, or answers
 * what may not be picked, round robin steps in and the failure is counted.
 */
export interface BalancePolicy {
  /** Those that may be picked from now on, in the config's order: before the first pick, and after each change of membership, health or weight. */
  readonly update: (members: readonly BalanceMember[]) => void;
  /** The one for this request, none for which `usable` is false; undefined leaves it to round robin. Sync. */
  readonly pick: (
    context: BalanceContext,
    usable?: (member: BalanceMember) => boolean,
  ) => BalanceMember | undefined;
  /** What `pick` would answer next, changing nothing: `headrace explain` asks it. Left out = nobody can tell. */
  readonly peek?: (
    context: BalanceContext,
    usable?: (member: BalanceMember) => boolean,
  ) => BalanceMember | undefined;
}

// ------------------------------------------------------------------- handlers

/**
 * Handlers by callback point. They are properties, not methods, so that their
 * parameters are compared strictly.
 */
export type Handlers = {
  readonly [P in PointName]?: HandlerAt<P>;
};

/** The handler type of the point `P`: its shape with the verdicts legal there. */
export type HandlerAt<P extends PointName> = PointRow<P>["handler"] extends
  "accept" ? AcceptHandler<VerdictAt<P>>
  : PointRow<P>["handler"] extends "transaction"
    ? TransactionHandler<VerdictAt<P>>
  : PointRow<P>["handler"] extends "request" ? RequestHandler<VerdictAt<P>>
  : PointRow<P>["handler"] extends "alternate" ? AlternateHandler
  : PointRow<P>["handler"] extends "lookup" ? LookupHandler<VerdictAt<P>>
  : PointRow<P>["handler"] extends "forward" ? ForwardHandler<VerdictAt<P>>
  : PointRow<P>["handler"] extends "attemptResponse"
    ? AttemptResponseHandler<VerdictAt<P>>
  : PointRow<P>["handler"] extends "response" ? ResponseHandler<
      VerdictAt<P>,
      P extends "requestFinish" ? HttpResponse | undefined : HttpResponse
    >
  : FinishHandler;

/** What a handler at `P` may answer besides `undefined`. */
export type VerdictAt<P extends PointName> =
  | GoOn
  | VerdictOf<
    Exclude<PointRow<P>["verdicts"][number], "finish">
  >
  | ("finish" extends PointRow<P>["verdicts"][number]
    ? FinishOf<PointRow<P>["finishResponse"]>
    : never);

/** The type of a verdict by its kind. */
export type VerdictOf<K extends string> = K extends "respond" ? Respond
  : K extends "redirect" ? Redirect
  : K extends "close" ? Close
  : K extends "retry" ? Retry
  : never;

/** The `finish` that is legal where a response must, may or can't come with it. */
export type FinishOf<R extends "must" | "may" | "none"> = R extends "must"
  ? FinishWith
  : R extends "may" ? FinishWith | Finish
  : Finish;

/** An answer now or later; `undefined` goes on. */
export type Answer<V> = V | undefined | Promise<V | undefined>;

/** At accept and handshake. */
export type AcceptHandler<V> = (session: Session) => Answer<V>;
/** At transactionStart and transactionClose. */
export type TransactionHandler<V> = (transaction: Transaction) => Answer<V>;
/** From readRequestHeader to requestBuffered. */
export type RequestHandler<V> = (request: HttpRequest) => Answer<V>;
/** At selectAlternate: a quality from 0 (veto) to 1. Sync. */
export type AlternateHandler = (
  request: HttpRequest,
  alternate: Alternate,
) => number | undefined;
/** At readCacheHeader and cacheLookupComplete. */
export type LookupHandler<V> = (
  request: HttpRequest,
  lookup: Lookup,
) => Answer<V>;
/** At forward, resolve and sendRequestHeader: `request` is this attempt's own copy. */
export type ForwardHandler<V> = (
  request: HttpRequest,
  attempt: Attempt,
) => Answer<V>;
/** At readResponseHeader. */
export type AttemptResponseHandler<V> = (
  request: HttpRequest,
  response: HttpResponse,
  attempt: Attempt,
) => Answer<V>;
/**
 * At readResponse, sendResponseHeader and requestFinish. `request` is undefined
 * where none ever parsed; at requestFinish `response` is undefined where none
 * was made.
 */
export type ResponseHandler<
  V,
  Made extends HttpResponse | undefined = HttpResponse,
> = (
  request: HttpRequest | undefined,
  response: Made,
) => Answer<V>;
/** At finish. */
export type FinishHandler = (session: Session) => Answer<GoOn>;

// ------------------------------------------------------------------- verdicts

/** The next handler of this point, then the next state; the same as `undefined`. */
export interface GoOn {
  /** Tells verdicts apart. */
  readonly kind: "goOn";
}
/** This response is sent; the connection stays. */
export interface Respond {
  /** Tells verdicts apart. */
  readonly kind: "respond";
  /** What is sent. */
  readonly response: HandlerResponse;
}
/** As respond, with a redirect. */
export interface Redirect {
  /** Tells verdicts apart. */
  readonly kind: "redirect";
  /** What Location says. */
  readonly url: string;
  /** 301, 302, 303, 307 or 308. */
  readonly status: number;
}
/** The current response is sent (or was), then the connection closes. */
export interface Finish {
  /** Tells verdicts apart. */
  readonly kind: "finish";
  /** None: the current one stands. */
  readonly response?: undefined;
}
/** This response is sent, then the connection closes. */
export interface FinishWith {
  /** Tells verdicts apart. */
  readonly kind: "finish";
  /** What is sent. */
  readonly response: HandlerResponse;
}
/** Nothing is sent, the connection closes. */
export interface Close {
  /** Tells verdicts apart. */
  readonly kind: "close";
}
/** The response is dropped and another backend tried, where that is possible. */
export interface Retry {
  /** Tells verdicts apart. */
  readonly kind: "retry";
}

/** Makers of verdicts. */
export interface Verdicts {
  /** Goes on, like `undefined`. */
  readonly goOn: GoOn;
  /** Drops the response at readResponseHeader and tries another backend. */
  readonly retry: Retry;
  /** Closes the connection without an answer. */
  readonly close: Close;
  /** Answers with `response`. A web `Response` can be used once. */
  respond(response: HandlerResponse): Respond;
  /** Answers with a redirect; 302 unless said otherwise. Throws a `RangeError` for a status that is no redirect. */
  redirect(url: string, status?: number): Redirect;
  /** Ends the connection after the current response. */
  finish(): Finish;
  /** Answers with `response`, then ends the connection. */
  finish(response: HandlerResponse): FinishWith;
}

/** A response that a handler makes. Text and bytes can be used again and again. */
export type HandlerResponse = Response | ResponseParts;

/** A response in parts. */
export interface ResponseParts {
  /** 200 to 599. */
  readonly status: number;
  /** Field lines; `content-length` and connection fields are Headrace's to set. */
  readonly headers?:
    | Readonly<Record<string, string | readonly string[]>>
    | Iterable<readonly [string, string]>;
  /** Text is UTF-8. A stream or an open file is read once, and a file is closed after it. */
  readonly body?:
    | string
    | Uint8Array
    | ReadableStream<Uint8Array>
    | Deno.FsFile;
  /**
   * Bytes of a stream or a file, sent as Content-Length; left out, the body is
   * sent in chunks. One that turns out wrong ends the message as broken. Without
   * a body, what a HEAD is told that a GET would get.
   */
  readonly length?: number;
}

// ---------------------------------------------------------------------- views

/** An address of a socket. */
export interface SocketAddress {
  /** An IP address without brackets, or a path for a unix socket. */
  readonly address: string;
  /** 0 for a unix socket, and where nobody told it. */
  readonly port: number;
}

/** Everything that happens on one accepted connection. */
export interface Session {
  /** Unique over workers and restarts. */
  readonly id: string;
  /** The listener's name. */
  readonly listener: string;
  /** What the listener speaks. */
  readonly protocol: "http" | "tcp";
  /** The peer, as the PROXY header says where one was accepted. */
  readonly remote: SocketAddress;
  /** Our side of the connection; behind a PROXY header the address that the client connected to. */
  readonly local: SocketAddress;
  /** What the PROXY header told; undefined where none was accepted. */
  readonly proxy: ProxyFacts | undefined;
  /** Whether a plugin's own request opened it, not a client. */
  readonly internal: boolean;
  /** Facts of the TLS handshake; undefined without TLS. Of a tcp session that is routed by SNI only the name, from its ClientHello on. */
  readonly tls: TlsFacts | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** The id of the backend that a tcp session is connected to; undefined before, and for http. */
  readonly backend: string | undefined;
  /** Transactions begun so far. */
  readonly transactions: number;
  /** Bytes read from the client so far. */
  readonly bytesIn: number;
  /** Bytes written to the client so far. */
  readonly bytesOut: number;
  /** Why it ended, where it did not end well; final at finish. */
  readonly error: Failure | undefined;
  /** Plugins' own data; keys of your own module's symbols never collide. */
  readonly data: Map<unknown, unknown>;
  /** Fires when the client leaves or the running handler's deadline passes. Ask before the first await. */
  readonly signal: AbortSignal;
  /** Registers a handler for this session only, also at the point that is running. */
  on<P extends PointName>(point: P, handler: HandlerAt<P>): void;
}

/** What a PROXY header told, beside `remote` and `local` of its session. */
export interface ProxyFacts {
  /** Of the protocol: the line of text or the binary header. */
  readonly version: 1 | 2;
  /** The proxy that sent it: the other end of the connection itself. */
  readonly peer: SocketAddress;
  /** The proxy speaks for itself, as in a health check: `remote` is its own address. */
  readonly local: boolean;
  /** The host name that the client asked the proxy for, in TLS its SNI. */
  readonly authority: string | undefined;
  /** The protocol that the client agreed on with the proxy by ALPN. */
  readonly alpn: string | undefined;
  /** The proxy's name for the connection: opaque, at most 128 bytes. */
  readonly uniqueId: Uint8Array | undefined;
  /** Facts of the client's TLS, where the proxy ended it and tells of it. */
  readonly tls: ProxiedTls | undefined;
  /** All TLVs of version 2 in their order, those of load balancers' own too. */
  readonly tlvs: readonly ProxyTlv[];
}

/** One type-length-value of a PROXY header. */
export interface ProxyTlv {
  /** 0 to 255; 224 to 239 are for applications' own. */
  readonly type: number;
  /** What it says. */
  readonly value: Uint8Array;
}

/** TLS between a client and the proxy that sent a PROXY header. */
export interface ProxiedTls {
  /** The TLS version, such as `TLSv1.3`. */
  readonly version: string | undefined;
  /** The cipher suite. */
  readonly cipher: string | undefined;
  /** Whether the client showed a certificate and the proxy verified it. */
  readonly verified: boolean;
  /** The common name in the client's certificate, verified or not. */
  readonly commonName: string | undefined;
}

/**
 * What a TLS handshake told. Deno's own TLS listener tells `alpn` only; a
 * listener with a plugin that handles `handshake` runs on one that tells all.
 */
export interface TlsFacts {
  /** The SNI name, where the client sent one and the runtime tells it. */
  readonly serverName: string | undefined;
  /** The protocol agreed on by ALPN. */
  readonly alpn: string | undefined;
  /** The TLS version, `TLSv1.3`, where the runtime tells it. */
  readonly version: string | undefined;
  /** The cipher suite by its IANA name, where the runtime tells it. */
  readonly cipher: string | undefined;
  /** What the client showed and the listener's `clientAuth` verified; undefined for nothing. */
  readonly clientCertificate: ClientCertificate | undefined;
}

/** A client's certificate. It was verified: others end the handshake. */
export interface ClientCertificate {
  /** Whom it is for, as RFC 4514 writes it: `CN=alice,O=Example`. */
  readonly subject: string;
  /** Who signed it, as RFC 4514 writes it. */
  readonly issuer: string;
  /** Alternative names with their kind: `DNS:a.example`, `IP:10.0.0.1`, `email:a@b.example`, `URI:spiffe://…`. */
  readonly names: readonly string[];
  /** Its number, in hexadecimal. */
  readonly serialNumber: string;
  /** SHA-256 of the certificate, in lower-case hexadecimal. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** One request and its response inside a session. */
export interface Transaction {
  /** Unique over workers and restarts; error bodies and logs carry it. */
  readonly id: string;
  /** The connection that it came on. */
  readonly session: Session;
  /** Undefined until a head parsed. */
  readonly request: HttpRequest | undefined;
  /** Undefined until there is one. */
  readonly response: HttpResponse | undefined;
  /** Its place in the session, from 1. */
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Attempts made so far, in order. */
  readonly attempts: readonly Attempt[];
  /** Why it failed, where it did. */
  readonly error: Failure | undefined;
  /** The status sent or, where the client left before, 499. 0 before. */
  readonly status: number;
  /** Bytes of head and body read from the client. */
  readonly bytesIn: number;
  /** Bytes of head and body written to the client. */
  readonly bytesOut: number;
  /** Milliseconds by moment, since `startedAt`; undefined where it did not come to that. */
  readonly timings: Timings;
  /** Plugins' own data. */
  readonly data: Map<unknown, unknown>;
  /** Fires when the client leaves or the running handler's deadline passes. Ask before the first await. */
  readonly signal: AbortSignal;
  /** Registers a handler for this transaction only, also at the point that is running. */
  on<P extends PointName>(point: P, handler: HandlerAt<P>): void;
  /**
   * Puts the request's body, where it has one, through a transform on its way to
   * the backend; the first registered gets the client's bytes. Up to
   * sendRequestHeader; what is registered at forward or later is for that
   * attempt only. A stream can be used once: with a function that makes one the
   * request can be sent again. Throws a `RangeError` where it is too late.
   */
  transformRequest(transform: BodyTransform, options?: TransformOptions): void;
  /**
   * Puts the response's body through a transform on its way to the client; the
   * first registered gets the backend's bytes. Up to readResponse. Its strong
   * ETag becomes a weak one, digests and Accept-Ranges go; a 206, and what says
   * `no-transform`, stays as it is; of HEAD and 304 only the fields change.
   * Throws a `RangeError` where it is too late.
   */
  transformResponse(transform: BodyTransform, options?: TransformOptions): void;
}

/** A transform of a body, or what makes one. */
export type BodyTransform =
  | TransformStream<Uint8Array, Uint8Array>
  | (() => TransformStream<Uint8Array, Uint8Array>);

/** Options of a transform. */
export interface TransformOptions {
  /** Bytes that come out; left out = unknown: the body is sent in chunks. One that turns out wrong ends the message as broken. */
  readonly length?: number;
}

/** Moments of a transaction in milliseconds since its start. */
export interface Timings {
  /** The request's head was parsed. */
  readonly requestHead: number | undefined;
  /** The last attempt had a connection. */
  readonly connected: number | undefined;
  /** The final response's head came. */
  readonly responseHead: number | undefined;
  /** The response was out or given up. */
  readonly finished: number | undefined;
}

/** A request, as the client sent it and handlers changed it. */
export interface HttpRequest {
  /** The transaction that it began. */
  readonly transaction: Transaction;
  /** The connection that it came on. */
  readonly session: Session;
  /** The transaction's id. */
  readonly id: string;
  /** A token, case kept. */
  method: string;
  /** The protocol that the client spoke. */
  readonly version: "1.0" | "1.1" | "2";
  /** `https` behind TLS, a PROXY header's too, else `http`; from a trusted peer's X-Forwarded-Proto or Forwarded. */
  readonly scheme: "http" | "https";
  /**
   * The Host field's host in its one spelling: lower case, without port, without
   * a dot at its end, an IPv6 address in its shortest form and without brackets.
   * Empty where there is none.
   */
  readonly host: string;
  /** The port of the Host field, undefined where it has none. */
  readonly port: number | undefined;
  /** Path and query, escapes kept; `*` for OPTIONS. Setting it sets path and query. */
  target: string;
  /** The path, escapes kept. */
  path: string;
  /** Without `?`; empty where there is none. Setting it keeps the path. */
  query: string;
  /** The field lines, as the client sent them and handlers changed them. */
  readonly headers: HeaderFields;
  /** The first cookie of this name. */
  cookie(name: string): string | undefined;
  /** The first query parameter of this name, decoded. */
  parameter(name: string): string | undefined;
  /** The client, through trusted proxies. */
  readonly clientAddress: string;
  /** Whether the peer is one of the listener's `trusted`. */
  readonly trusted: boolean;
  /**
   * Whether what comes back may be this client's own: it came with Authorization,
   * or a handler says so that has let it in by something else, such as a cookie.
   * The cache stores that only where the response allows it (RFC 9111 §3.5). It
   * can't be taken back: throws a `TypeError` for anything but true.
   */
  authorized: boolean;
  /** Known from foundProduct on. */
  readonly product: string | undefined;
  /** Known from afterLocation on; may be set to another cluster of the config up to there, and at requestBuffered: throws a `RangeError` for an unknown one. */
  cluster: string | undefined;
  /** Tags that plugins set and conditions read. */
  readonly tags: Map<string, readonly string[]>;
  /** The body: whether there is one, its length where it is known, and all of it where it is buffered. */
  readonly body: {
    readonly present: boolean;
    readonly length: number | undefined;
    /** The whole body, from requestBuffered on where the cluster has `requestBuffer`; else a `TypeError`. */
    readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
    /**
     * The body as JSON; undefined where it is none, has another Content-Type or a
     * Content-Encoding, or more than 1 MiB. A rule's condition that asks for it
     * has the body read; else as `read`, and of what lies in memory.
     */
    readonly json: () => unknown;
  };
  /** The transaction's signal. */
  readonly signal: AbortSignal;
}

/** A response on its way to the client. */
export interface HttpResponse {
  /** 100 to 599; setting it to a status that changes the body's framing throws a `RangeError`. */
  status: number;
  /** The reason phrase, as the backend sent it; the status's own once that is changed. */
  readonly reason: string;
  /** The field lines, as they came and handlers changed them. */
  readonly headers: HeaderFields;
  /** Who made it. */
  readonly from: "backend" | "cache" | "handler" | "proxy";
  /** The declared length of the body, undefined where it is not known. */
  readonly length: number | undefined;
}

/**
 * Field lines, names without case. Names and values are checked: a `TypeError`
 * says what is wrong. The fields that frame a message (`content-length`,
 * `transfer-encoding`, `connection`, `keep-alive`, `upgrade`, `trailer`, `te`)
 * can be read but not changed: they are Headrace's own on each side.
 */
export interface HeaderFields extends Iterable<[string, string]> {
  /** All values of the name joined by `, `, or null. */
  get(name: string): string | null;
  /** Each value of the name, in order (Set-Cookie's can't be joined). */
  getAll(name: string): string[];
  /** Whether there is a field of the name. */
  has(name: string): boolean;
  /** Replaces all fields of the name by one. */
  set(name: string, value: string): void;
  /** Adds a field after the others. */
  append(name: string, value: string): void;
  /** Removes all fields of the name. */
  delete(name: string): void;
}

/** A stored response that may answer this request. */
export interface Alternate {
  /** The request that it was stored for. */
  readonly request: { readonly headers: Pick<HeaderFields, "get" | "has"> };
  /** What was stored. */
  readonly response: {
    readonly status: number;
    readonly headers: Pick<HeaderFields, "get" | "has">;
  };
}

/** What the cache found. */
export interface Lookup {
  /**
   * A hit can be set to a miss, stale ones to fresh and the other way; at
   * readCacheHeader a word here stands against what the response's age says.
   * Anything else throws a `RangeError`.
   */
  result: "miss" | "hit-stale" | "hit-fresh" | "skipped";
  /** The stored response; undefined where none was found. */
  readonly alternate: Alternate | undefined;
}

/** One try to get a response from a backend. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  /** The cluster's name. */
  readonly cluster: string;
  /** The subcluster's name. */
  readonly subcluster: string;
  /** The backend's id; may be set at forward to another backend of the cluster: throws a `RangeError` for an unknown one. */
  backend: string;
  /** Known from resolve on, tried in order; may be changed there. */
  addresses: SocketAddress[];
  /** Known from sendRequestHeader on. */
  readonly connection: ConnectionFacts | undefined;
  /** Whether a WebSocket session that lives already is dialled anew. */
  readonly reconnect: boolean;
  /** The final or interim status that came, 0 where none did. */
  readonly status: number;
  /** Why it failed, where it did. */
  readonly error: Failure | undefined;
}

/** Facts of a connection to a backend. */
export interface ConnectionFacts {
  /** The address that it leads to. */
  readonly remote: SocketAddress;
  /** Whether it carried another transaction before. */
  readonly reused: boolean;
}

/** Why something failed. */
export interface Failure {
  /** A name for logs and metrics, e.g. `connect_refused`. */
  readonly code: string;
  /** Whose fault it is. */
  readonly side: "client" | "backend" | "plugin" | "proxy";
  /** What happened, for people. */
  readonly message: string;
}

/** A change of a backend's state. Nobody may change it: others get the same. */
export interface BackendEvent {
  /** The cluster's name. */
  readonly cluster: string;
  /** The backend's id. */
  readonly backend: string;
  /**
   * Which of its states: what active checks say, whether passive health ejected
   * it, whether its circuit breaker lets requests through, what an operator
   * wants of it, the weight that an operator set.
   */
  readonly kind: "check" | "passive" | "breaker" | "admin" | "weight";
  /** As `to`, before. */
  readonly from: string;
  /**
   * check: `up` or `down`; passive: `closed`, `ejected` or `half-open`; breaker:
   * `closed`, `open` or `half-open`; admin: `ready`, `disabled`, `drain` or
   * `maintenance`; weight: a number, or `configured` for the config's.
   */
  readonly to: string;
  /** Why, for people. */
  readonly cause: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

// ---------------------------------------------------------------------- tools

/** Log lines with fields. */
export interface Log {
  /** Logs at level `debug`. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Logs at level `info`. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Logs at level `warn`. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Logs at level `error`. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A plugin's metrics; each name gets the prefix `headrace_plugin_`. */
export interface Metrics {
  /** A count that only grows; `labels` names its labels. */
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  /** A value that goes up and down; over workers the values are added. */
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
}

/** A count that only grows. */
export interface Counter {
  /** Adds `by` (1) to the series with these label values. */
  add(by?: number, ...values: readonly string[]): void;
}

/** A value that goes up and down. */
export interface Gauge {
  /** Sets the series with these label values. */
  set(value: number, ...values: readonly string[]): void;
}

/**
 * Memory that all workers share, under names of the plugin's own. Ask for it in
 * `setup`: `await` gives the same counter or map in every worker, and over
 * reloads for as long as the config has the plugin under the same name. It ends
 * with the process.
 *
 * What one worker writes the others read at once. Every call is one step for all
 * of them and answers at once, so that handlers can stay sync.
 */
export interface Shared {
  /** The counter of this name, at first 0. */
  counter(name: string): Promise<SharedCounter>;
  /**
   * The map of this name, at first empty, with room for at least so many
   * entries, from 1 to 1 048 576, at 25 bytes each: it never takes more. Another
   * number of entries is another map. Rejects with a `RangeError` where all
   * plugins together would share more than 256 MiB.
   */
  map(name: string, options: { readonly entries: number }): Promise<SharedMap>;
  /**
   * Counts of what is under way, with room for at least so many keys at once
   * (as for a map; 8 bytes each and 4 more for each seat of a worker, of which
   * there are two a worker).
   */
  uses(
    name: string,
    options: { readonly entries: number },
  ): Promise<SharedUses>;
}

/**
 * How much is under way by key, over all workers: for bounds of concurrency.
 * What a worker has under way that is lost counts no longer.
 */
export interface SharedUses {
  /** One more begins; how many there are then. Undefined where there is no room for another key: it is not counted, and must not `leave`. */
  enter(key: string): number | undefined;
  /** One that this worker began ends. */
  leave(key: string): void;
  /** How many there are. */
  count(key: string): number;
}

/** A whole number that all workers share; a `RangeError` refuses others. */
export interface SharedCounter {
  /** What it is now. */
  readonly value: number;
  /** Adds `by` (1, may be negative); what it is then. */
  add(by?: number): number;
  /** Puts `value` in the place of `expected`, or leaves it; what it was, as `Atomics.compareExchange` does. */
  compareExchange(expected: number, value: number): number;
}

/**
 * Numbers by text, shared by all workers. Each entry ends after its `ttl`,
 * milliseconds above 0. Where there is no room for a new one, another makes
 * room before its end: of the eight that could, the one that would end first.
 * So give what matters a longer life than what does not. Numbers must be finite,
 * else a `RangeError`.
 *
 * A token bucket of `burst` requests and one more each `interval` milliseconds,
 * as the time at which it is full again (GCRA):
 *
 * ```ts
 * function admit(key: string): boolean {
 *   const now = clock.wall();
 *   for (let full = buckets.get(key);;) {
 *     const next = Math.max(full ?? 0, now) + interval;
 *     if (next > now + burst * interval) return false;
 *     const was = buckets.compareExchange(key, full, next, next - now);
 *     if (was === full) return true;
 *     full = was; // another worker was faster
 *   }
 * }
 * ```
 */
export interface SharedMap {
  /** The number of this key; undefined where there is none, or its time is up. */
  get(key: string): number | undefined;
  /** Puts it there, for `ttl` from now. */
  set(key: string, value: number, ttl: number): void;
  /** Adds to it, and gives the sum. Where there is none it begins at 0 and ends after `ttl`; one that is there keeps its end. */
  add(key: string, by: number, ttl: number): number;
  /**
   * Puts `value` in the place of `expected` (undefined = there is none), for
   * `ttl` from now, or leaves what is there; what it was.
   */
  compareExchange(
    key: string,
    expected: number | undefined,
    value: number,
    ttl: number,
  ): number | undefined;
  /** Ends it; whether it was there. */
  delete(key: string): boolean;
  /** How many entries made room before their end, since the map began; starts anew after 2³². */
  readonly evicted: number;
}

/** Bounds of a file that lines are appended to; of several users the last one's hold. */
export interface LineFileOptions {
  /** Bytes after which it is moved away and begun anew; unbounded. */
  readonly maxBytes?: number;
  /** How many of those moved away are kept, as `NAME.1` (the newest), `NAME.2`, …; 5. With 0 it is emptied. */
  readonly keep?: number;
}

/** A file that lines are appended to. */
export interface LineFile {
  /** Appends all of the bytes, which should be whole lines, or none, and then rejects. Gives their number. */
  write(bytes: Uint8Array): Promise<number>;
  /** Gives it back; it is closed when its last user does. */
  close(): Promise<void>;
}

/** A regular expression that no text can slow down. */
export interface Pattern {
  /** As it was written. */
  readonly source: string;
  /** Whether it matches somewhere in the text. */
  test(text: string): boolean;
  /** What it matches first, and its groups from 1; undefined for nothing. */
  match(text: string): readonly (string | undefined)[] | undefined;
  /**
   * Makes a function that puts `replacement` in place of all matches: `$1` is a
   * group, `$0` the match, `$$` a dollar sign. Throws a `SyntaxError` for a
   * group that the pattern doesn't have.
   */
  replacer(replacement: string): (text: string) => string;
}

/** Time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  wall(): number;
  /** Monotonic milliseconds. */
  now(): number;
  /** Calls back once after so many milliseconds; the returned function cancels. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** The part of Standard Schema (https://standardschema.dev) that Headrace uses. */
export interface StandardSchema<Output> {
  /** What the specification wants. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) => StandardResult<Output> | Promise<StandardResult<Output>>;
  };
}

/** What a Standard Schema answers. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that a schema found wrong. */
export interface StandardIssue {
  /** What was expected. */
  readonly message: string;
  /** Where, from the options' root. */
  readonly path?:
    | readonly (PropertyKey | { readonly key: PropertyKey })[]
    | undefined;
}
