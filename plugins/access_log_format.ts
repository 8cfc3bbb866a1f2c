/**
 * Lines of the access log in each of its formats.
 *
 * @module
 */
import type {
  Attempt,
  Clock,
  Failure,
  HttpRequest,
  Session,
  Transaction,
} from "../core/plugin.ts";
import { compileTemplate, type TemplateContext } from "./template.ts";

/** The request as it came, before handlers changed it; undefined where none parsed. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
}

/** Makes lines, each with its line feed. */
export interface LineFormat {
  transaction(
    transaction: Transaction,
    line: RequestLine | undefined,
  ): string;
  /** For a session without transactions: TCP. */
  session(session: Session): string;
}

/** The names of the formats. */
export const FORMATS = ["json", "common", "combined", "template"] as const;

/** Which format is wanted. */
export interface FormatOptions {
  readonly format: (typeof FORMATS)[number];
  /** The line of the format `template`. */
  readonly template?: string | undefined;
}

/** Makes it. Throws a `SyntaxError` for a template that can't be used. */
export function lineFormat(
  { format, template = "" }: FormatOptions,
  context: TemplateContext,
): LineFormat {
  switch (format) {
    case "json":
      return jsonFormat(context.clock);
    case "common":
      return apacheFormat(() => "");
    case "combined":
      return apacheFormat(combinedTail);
    case "template":
      return templateFormat(template, context);
  }
}

// ------------------------------------------------------------------- template

function templateFormat(text: string, context: TemplateContext): LineFormat {
  const encode = (value: string) => escapeItem(value) || "-";
  const template = compileTemplate(text, "log", context, encode);
  return {
    transaction: (transaction) =>
      `${template.renderLog(transaction.session, transaction)}\n`,
    session: (session) => `${template.renderLog(session, undefined)}\n`,
  };
}

// ----------------------------------------------------------------------- JSON

function jsonFormat(clock: Clock): LineFormat {
  const time = isoTime();
  return {
    transaction(transaction, line) {
      const { session, request, attempts, timings } = transaction;
      const userAgent = request?.headers.get("user-agent") ?? undefined;
      const referer = request?.headers.get("referer") ?? undefined;
      const json = JSON.stringify({
        time: time(transaction.startedAt),
        session: session.id,
        transaction: transaction.id,
        requestId: requestIdOf(transaction),
        client: clientOf(session, request),
        protocol: request === undefined ? "HTTP" : protocolOf(request),
        method: line?.method,
        target: line?.target,
        host: request?.host,
        status: transaction.status,
        bytesIn: transaction.bytesIn,
        bytesOut: transaction.bytesOut,
        durationMs: round(
          timings.finished ?? clock.wall() - transaction.startedAt,
        ),
        product: request?.product,
        cluster: request?.cluster,
        backend: attempts.at(-1)?.backend,
        attempts: attempts.map((attempt) =>
          jsonAttempt(transaction.id, attempt)
        ),
        error: jsonFailure(transaction.error),
        userAgent,
        referer,
        listener: session.listener,
      });
      // Only the client's texts are looked at: the rest can't hold any.
      return COMMANDS.test(`${line?.target}${userAgent}${referer}`)
        ? `${json.replaceAll(ALL_COMMANDS, escapeCommand)}\n`
        : `${json}\n`;
    },
    session(session) {
      const json = JSON.stringify({
        time: time(session.startedAt),
        session: session.id,
        client: session.remote.address,
        protocol: "TCP",
        bytesIn: session.bytesIn,
        bytesOut: session.bytesOut,
        durationMs: round(clock.wall() - session.startedAt),
        backend: session.backend,
        error: jsonFailure(session.error),
        listener: session.listener,
      });
      return `${json}\n`;
    },
  };
}

/** Where it is another one than the transaction's: `builtin:request-id` keeps it. */
function requestIdOf({ id, data }: Transaction): string | undefined {
  const requestId = data.get(Symbol.for("headrace.request-id"));
  return typeof requestId === "string" && requestId !== id
    ? requestId
    : undefined;
}

function jsonAttempt(transaction: string, attempt: Attempt) {
  return {
    id: `${transaction}.${attempt.number}`,
    failover: attempt.reconnect || undefined,
    backend: attempt.backend,
    status: attempt.status || undefined,
    error: attempt.error?.code,
    reused: attempt.connection?.reused,
  };
}

function jsonFailure(failure: Failure | undefined) {
  return failure && { code: failure.code, side: failure.side };
}

/** Characters that JSON leaves as they are, but that a terminal takes as commands. */
const COMMANDS = /[\x7f-\x9f]/;
const ALL_COMMANDS = /[\x7f-\x9f]/g;

function escapeCommand(char: string): string {
  return `\\u00${char.charCodeAt(0).toString(16)}`;
}

/** As `toISOString` tells it from milliseconds since the epoch. */
function isoTime(): (milliseconds: number) => string {
  // Lines of one second share all but the milliseconds.
  let second = NaN;
  let text = "";
  return (milliseconds) => {
    const whole = Math.floor(milliseconds);
    const now = Math.floor(whole / 1000);
    if (now !== second) {
      second = now;
      text = new Date(now * 1000).toISOString().slice(0, -4);
    }
    return `${text}${String(whole - now * 1000).padStart(3, "0")}Z`;
  };
}

/** To the microsecond. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

// --------------------------------------------------------------------- Apache

/**
 * Apache's `%h %l %u %t "%r" %>s %b`, and what `tail` adds.
 * https://httpd.apache.org/docs/2.4/mod/mod_log_config.html
 */
function apacheFormat(
  tail: (request: HttpRequest | undefined) => string,
): LineFormat {
  const time = apacheTime();
  return {
    transaction(transaction, line) {
      const { session, request, startedAt, status, bytesOut } = transaction;
      const requestLine = request === undefined || line === undefined
        ? "-"
        : escapeItem(`${line.method} ${line.target} ${protocolOf(request)}`);
      const client = escapeItem(clientOf(session, request));
      return `${client || "-"} - - [${time(startedAt)}] "${requestLine}" ${
        status || "-"
      } ${bytesOut || "-"}${tail(request)}\n`;
    },
    session(session) {
      const client = escapeItem(session.remote.address);
      return `${client || "-"} - - [${time(session.startedAt)}] "-" - ${
        session.bytesOut || "-"
      }${tail(undefined)}\n`;
    },
  };
}

function combinedTail(request: HttpRequest | undefined): string {
  const referer = escapeItem(request?.headers.get("referer") ?? "");
  const userAgent = escapeItem(request?.headers.get("user-agent") ?? "");
  return ` "${referer || "-"}" "${userAgent || "-"}"`;
}

const MONTHS = [
  "Jan",
  "Feb",
  "Mar",
  "Apr",
  "May",
  "Jun",
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
];

/**
 * Apache's `%t` without brackets, `10/Oct/2000:13:55:36 -0700`, from
 * milliseconds since the epoch. `offset` tells the minutes east of Greenwich,
 * by default the machine's.
 */
export function apacheTime(
  offset = (milliseconds: number) =>
    -new Date(milliseconds).getTimezoneOffset(),
): (milliseconds: number) => string {
  // Lines of one second share the text.
  let second = NaN;
  let text = "";
  return (milliseconds) => {
    const now = Math.floor(milliseconds / 1000);
    if (now === second) return text;
    second = now;
    const minutes = offset(milliseconds);
    // Shifted, so that the UTC getters tell local time.
    const date = new Date(milliseconds + minutes * 60_000);
    const day = twoDigits(date.getUTCDate());
    const month = MONTHS[date.getUTCMonth()];
    const clock = date.toISOString().slice(11, 19);
    const sign = minutes < 0 ? "-" : "+";
    const zone = Math.abs(minutes);
    text = `${day}/${month}/${date.getUTCFullYear()}:${clock} ${sign}${
      twoDigits(Math.floor(zone / 60))
    }${twoDigits(zone % 60)}`;
    return text;
  };
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}

const C_ESCAPES: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};

/** As Apache's ap_escape_logitem: C's escapes, `\xhh` for other bytes that are not printable ASCII. */
function escapeItem(text: string): string {
  if (text === "" || /^[ !#-[\]-~]*$/.test(text)) return text;
  return text.replaceAll(/[^ !#-[\]-~]/gu, (char) => {
    const escape = C_ESCAPES[char];
    if (escape !== undefined) return escape;
    const code = char.codePointAt(0) as number;
    // Field values hold bytes as characters; only names of the config reach further.
    const bytes = code <= 0xff ? [code] : new TextEncoder().encode(char);
    return Array.from(
      bytes,
      (byte) => `\\x${byte.toString(16).padStart(2, "0")}`,
    ).join("");
  });
}

// --------------------------------------------------------------------- shared

function clientOf(session: Session, request: HttpRequest | undefined): string {
  return request?.clientAddress ?? session.remote.address;
}

/** As the request line and Apache's logs spell it. */
function protocolOf(request: HttpRequest): string {
  return request.version === "2" ? "HTTP/2.0" : `HTTP/${request.version}`;
}
