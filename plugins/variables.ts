/**
 * The variables that texts of options may hold: what each is called and how it
 * is read.
 *
 * @module
 */
import type {
  Attempt,
  Clock,
  HttpRequest,
  HttpResponse,
  Session,
  Transaction,
} from "../core/plugin.ts";
import { networkOf } from "./address_set.ts";

/** What variables can be read from at one moment; `log` is when all is final. */
export type Scope = "request" | "response" | "log";

/** Who chose a variable's value: the config and the proxy, or whoever sent the request; the target's parts keep their escapes. */
export type ValueSource = "proxy" | "client" | "target";

/** What a variable is read from; all of the request's are empty where none parsed. */
export interface Views {
  readonly clock: Clock;
  readonly request: HttpRequest | undefined;
  readonly response: HttpResponse | undefined;
  /** The attempt that runs. */
  readonly attempt: Attempt | undefined;
  readonly transaction: Transaction | undefined;
  readonly session: Session | undefined;
}

/** How a variable is read. */
export interface VariableSpec {
  /** Undefined where there is no value. */
  readonly read: (views: Views, argument: string) => string | undefined;
  readonly source: ValueSource;
  /** The first moment when it is there. */
  readonly from: Scope;
  /** Whether it is spelt `%{name:ARGUMENT}`. */
  readonly named: boolean;
  /** It tells the backend, which a request learns late. */
  readonly backend: boolean;
  /** It asks for what not every listener's TLS tells. */
  readonly tls: boolean;
}

type Read = VariableSpec["read"];

function make(
  read: Read,
  more: Partial<Omit<VariableSpec, "read">> = {},
): VariableSpec {
  return {
    read,
    source: "proxy",
    from: "request",
    named: false,
    backend: false,
    tls: false,
    ...more,
  };
}

const ofClient = (read: Read) => make(read, { source: "client" });
const ofTarget = (read: Read) => make(read, { source: "target" });
const ofBackend = (read: Read) => make(read, { backend: true });
const ofTls = (read: Read) => make(read, { tls: true, source: "client" });
const named = (read: Read) => make(read, { named: true, source: "client" });
const logged = (read: Read) => make(read, { from: "log" });

/** The attempt that runs, else the last one. */
function lastAttempt({ attempt, transaction }: Views): Attempt | undefined {
  return attempt ?? transaction?.attempts.at(-1);
}

function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** Milliseconds since the transaction's start. */
function elapsed({ transaction, session, clock }: Views): number | undefined {
  const start = transaction?.startedAt ?? session?.startedAt;
  if (start === undefined) return undefined;
  return transaction?.timings.finished ?? Math.max(0, clock.wall() - start);
}

/** Every variable by its name. */
export const VARIABLES: ReadonlyMap<string, VariableSpec> = new Map<
  string,
  VariableSpec
>([
  [
    "client_address",
    make(({ request, session }) =>
      request?.clientAddress ?? session?.remote.address
    ),
  ],
  [
    "client_network",
    make(({ request, session }) => {
      const address = request?.clientAddress ?? session?.remote.address;
      return address === undefined ? undefined : networkOf(address);
    }),
  ],
  ["client_port", make(({ session }) => text(session?.remote.port))],
  ["peer_address", make(({ session }) => session?.remote.address)],
  ["local_address", make(({ session }) => session?.local.address)],
  ["local_port", make(({ session }) => text(session?.local.port))],
  ["host", ofClient(({ request }) => request?.host)],
  ["port", ofClient(({ request }) => text(request?.port))],
  ["method", ofClient(({ request }) => request?.method)],
  ["path", ofTarget(({ request }) => request?.path)],
  ["query", ofTarget(({ request }) => request?.query)],
  ["target", ofTarget(({ request }) => request?.target)],
  ["scheme", make(({ request }) => request?.scheme)],
  [
    "protocol",
    make(({ request, session }) =>
      request === undefined
        ? session && session.protocol.toUpperCase()
        : `HTTP/${request.version === "2" ? "2.0" : request.version}`
    ),
  ],
  ["product", make(({ request }) => request?.product)],
  ["cluster", make(({ request }) => request?.cluster)],
  ["subcluster", ofBackend((views) => lastAttempt(views)?.subcluster)],
  [
    "backend",
    ofBackend((views) => lastAttempt(views)?.backend ?? views.session?.backend),
  ],
  [
    "backend_address",
    ofBackend((views) => lastAttempt(views)?.connection?.remote.address),
  ],
  ["attempt", ofBackend((views) => text(lastAttempt(views)?.number))],
  ["session_id", make(({ session }) => session?.id)],
  ["transaction_id", make(({ transaction }) => transaction?.id)],
  [
    "request_id",
    make(({ transaction }) => {
      const id = transaction?.data.get(Symbol.for("headrace.request-id"));
      return typeof id === "string" ? id : transaction?.id;
    }),
  ],
  ["listener", make(({ session }) => session?.listener)],
  [
    "tls_alpn",
    make(({ session }) => session?.tls?.alpn, { source: "client" }),
  ],
  ["tls_sni", ofTls(({ session }) => session?.tls?.serverName)],
  ["tls_version", ofTls(({ session }) => session?.tls?.version)],
  ["tls_cipher", ofTls(({ session }) => session?.tls?.cipher)],
  [
    "tls_client_subject",
    ofTls(({ session }) => session?.tls?.clientCertificate?.subject),
  ],
  [
    "tls_client_issuer",
    ofTls(({ session }) => session?.tls?.clientCertificate?.issuer),
  ],
  [
    "tls_client_serial",
    ofTls(({ session }) => session?.tls?.clientCertificate?.serialNumber),
  ],
  [
    "tls_client_fingerprint",
    ofTls(({ session }) => session?.tls?.clientCertificate?.fingerprint),
  ],
  ["time_iso", make(({ clock }) => new Date(clock.wall()).toISOString())],
  ["time_http", make(({ clock }) => new Date(clock.wall()).toUTCString())],
  ["time_unix", make(({ clock }) => text(Math.floor(clock.wall() / 1000)))],
  ["time_unix_ms", make(({ clock }) => text(Math.floor(clock.wall())))],
  [
    "start_iso",
    make(({ transaction, session }) => {
      const start = transaction?.startedAt ?? session?.startedAt;
      return start === undefined ? undefined : new Date(start).toISOString();
    }),
  ],
  ["duration_ms", make((views) => text(round(elapsed(views))))],
  [
    "status",
    make(
      ({ response, transaction }) =>
        text(response?.status ?? (transaction?.status || undefined)),
      { from: "response" },
    ),
  ],
  ["bytes_in", logged((views) => text(sizes(views)?.bytesIn))],
  ["bytes_out", logged((views) => text(sizes(views)?.bytesOut))],
  ["attempts", logged(({ transaction }) => text(transaction?.attempts.length))],
  [
    "backends",
    logged(({ transaction }) =>
      transaction?.attempts.map(({ backend }) => backend).join(",")
    ),
  ],
  [
    "error",
    logged(({ transaction, session }) => (transaction ?? session)?.error?.code),
  ],
  [
    "error_side",
    logged(({ transaction, session }) => (transaction ?? session)?.error?.side),
  ],
  [
    "response_head_ms",
    logged(({ transaction }) => text(round(transaction?.timings.responseHead))),
  ],
  [
    "header",
    named(({ request }, name) => request?.headers.get(name) ?? undefined),
  ],
  ["cookie", named(({ request }, name) => request?.cookie(name))],
  ["parameter", named(({ request }, name) => request?.parameter(name))],
  ["tag", named(({ request }, name) => request?.tags.get(name)?.join(","))],
  [
    "response_header",
    make(
      ({ response, transaction }, name) =>
        (response ?? transaction?.response)?.headers.get(name) ?? undefined,
      { from: "response", named: true, source: "client" },
    ),
  ],
]);

function sizes({ transaction, session }: Views) {
  return transaction ?? session;
}

/** To the microsecond. */
function round(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined
    ? undefined
    : Math.round(milliseconds * 1000) / 1000;
}
