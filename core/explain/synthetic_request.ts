/**
 * The request that rules, hash keys and policies are asked about: traffic's own
 * over a head that nobody sent, in a session that nobody opened.
 *
 * @module
 */
import type { PickContext } from "../balance/policy.ts";
import type { BufferedBody } from "../message/buffered_body.ts";
import type { RequestHead } from "../message/head.ts";
import { type HostParts, splitHost } from "../net/host_name.ts";
import type { Session, SocketAddress, Transaction } from "../plugin.ts";
import type { Product } from "../route/product.ts";
import {
  type Identified,
  identify,
  type Origin,
} from "../session/client_address.ts";
import { takeTraceRequest } from "../session/trace_request.ts";
import { Request, type RequestContext } from "../session/request.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";

/** How the connection came. */
export interface SyntheticConnection {
  readonly listener: ListenerRuntime;
  /** The client's address. */
  readonly remote: string;
  readonly local: SocketAddress;
  /** The name that the client's TLS handshake asks for; undefined without TLS. */
  readonly serverName: string | undefined;
}

/** Nobody leaves, no deadline passes: it never fires. */
const SIGNAL = new AbortController().signal;

/** A request as far as it comes before a backend hears of it. */
export class SyntheticRequest
  implements RequestContext, Identified, PickContext {
  readonly signal = SIGNAL;
  readonly request: Request;
  readonly view: Transaction;
  trusted = false;
  authorized = false;
  clientAddress = "";
  buffered: BufferedBody | undefined;
  scheme: "http" | "https" = "http";
  origin: Origin | undefined;
  product: Product | undefined;
  cluster: string | undefined;

  constructor(connection: SyntheticConnection, head: RequestHead) {
    const { listener, remote, serverName } = connection;
    const secure = listener.config.tls !== undefined;
    takeTraceRequest(head.fields);
    identify(this, listener.trust, remote, secure, head.fields);
    this.request = new Request(this, head, head.fields);
    const session = sessionView(connection, secure, serverName);
    this.view = transactionView(session, this.request);
  }

  splitHost(field: string): HostParts {
    return splitHost(field);
  }
}

function sessionView(
  { listener, remote, local }: SyntheticConnection,
  secure: boolean,
  serverName: string | undefined,
): Session {
  return {
    id: "explain",
    listener: listener.name,
    protocol: listener.protocol,
    remote: { address: remote, port: 0 },
    local,
    proxy: undefined,
    internal: false,
    tls: secure
      ? {
        serverName,
        alpn: undefined,
        version: undefined,
        cipher: undefined,
        clientCertificate: undefined,
      }
      : undefined,
    startedAt: 0,
    backend: undefined,
    transactions: 1,
    bytesIn: 0,
    bytesOut: 0,
    error: undefined,
    data: new Map(),
    signal: SIGNAL,
    on: refuseHandlers,
  };
}

function transactionView(session: Session, request: Request): Transaction {
  return {
    id: "explain",
    session,
    request,
    response: undefined,
    number: 1,
    startedAt: 0,
    attempts: [],
    error: undefined,
    status: 0,
    bytesIn: 0,
    bytesOut: 0,
    timings: {
      requestHead: undefined,
      connected: undefined,
      responseHead: undefined,
      finished: undefined,
    },
    data: new Map(),
    signal: SIGNAL,
    on: refuseHandlers,
    transformRequest: refuseTransforms,
    transformResponse: refuseTransforms,
  };
}

function refuseHandlers(): void {
  throw new TypeError("Cannot register a handler as no handler would run");
}

function refuseTransforms(): void {
  throw new TypeError("Cannot transform a body as there is none");
}
