/**
 * Follows requests through other services: W3C trace context in and out, and
 * OpenTelemetry spans.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080", trusted: ["10.0.0.0/8"] }
 * products:
 *   - { name: site, default: true, rules: [{ cluster: api }] }
 * clusters:
 *   - { name: api, backends: [{ url: "http://127.0.0.1:9001" }] }
 * plugins:
 *   - { use: "builtin:trace", options: { sample: 0.1, spans: [transaction, attempt] } }
 * ```
 *
 * Each backend gets `traceparent` with a span of its own attempt, and
 * `tracestate` as it came. The trace is the one that the request names, where it
 * comes from the listener's `trusted` peers (`accept: always` believes
 * everybody, `never` nobody), and then whether it is sampled is its maker's
 * decision; else a new one, of which the share `sample` is sampled. This works
 * without OpenTelemetry too.
 *
 * Spans are made through `@opentelemetry/api` where a trace is sampled: they go
 * where `OTEL_DENO=true` and the `OTEL_EXPORTER_OTLP_…` variables say. A
 * `transaction` is a server span, an `attempt` a client span below it, a
 * `session` a span of its own that its transactions link to (not for a plugin
 * limited to products), a `handler` an internal span of one run of another
 * plugin's handler, named by its callback point, below the attempt, transaction
 * or session that it ran for. Their attributes have OpenTelemetry's names, and
 * `headrace.session`, `.transaction`, `.product`, `.cluster`, `.backend`; those
 * of handlers `headrace.plugin`, `.point`, `.verdict`.
 *
 * The tag `trace_id` has the trace's id, for logs: `%{tag:trace_id}`.
 *
 * `headrace_plugin_trace_traces_total{from,sampled}` counts transactions by
 * whose trace they belong to: `accepted` or `made`.
 *
 * @module
 */
import {
  type Attributes,
  type Context,
  context as contexts,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { z } from "zod";
import type {
  Attempt,
  Failure,
  HandlerEnd,
  HandlerEnded,
  HandlerRun,
  HttpRequest,
  Plugin,
  PluginContext,
  Session,
  Transaction,
} from "../core/plugin.ts";
import {
  formatTraceparent,
  parseTraceparent,
  randomId,
  type TracePlace,
} from "./trace_context.ts";

const Options = z.strictObject({
  accept: z.enum(["trusted", "always", "never"]).default("trusted").describe(
    "Whose traces are gone on with",
  ),
  sample: z.number().min(0).max(1).default(1).describe(
    "The share of new traces that is sampled, chosen at random",
  ),
  spans: z.array(z.enum(["session", "transaction", "attempt", "handler"]))
    .default(["transaction", "attempt"]).describe(
      "What spans are made of; those of handlers are many",
    ),
}).prefault({});

type TraceOptions = z.output<typeof Options>;

/** What is known of a transaction's place in its trace. */
interface Traced {
  /** Whether the request's own trace is gone on with. */
  readonly accepted: boolean;
  readonly place: TracePlace;
  readonly span: Span | undefined;
  readonly attempts: Map<number, TracedAttempt>;
}

/** An attempt's place in it: what its backend is told. */
interface TracedAttempt {
  readonly place: TracePlace;
  readonly span: Span | undefined;
}

/** A handler's run at transactionStart: where its span belongs is known with the head. */
interface EarlyRun {
  readonly run: HandlerRun;
  /** Milliseconds since the epoch. */
  readonly startTime: number;
  readonly endTime: number;
  readonly end: HandlerEnd;
}

const TRACED = Symbol("trace");
const EARLY = Symbol("trace early");
const SESSION_SPAN = Symbol("trace session");

export default {
  name: "trace",
  options: Options,
  setup(context) {
    const { options } = context;
    const tracing = new Tracing(context);
    return {
      handlers: {
        ...options.spans.includes("session") && {
          accept: (session: Session) => tracing.begin(session),
          finish: (session: Session) => tracing.end(session),
        },
        foundProduct(request) {
          const { place } = tracing.begun(request.transaction, request);
          request.tags.set("trace_id", [place.traceId]);
          return undefined;
        },
        forward: (request, attempt) => tracing.tried(request, attempt),
        sendRequestHeader: (request, attempt) =>
          tracing.sending(request, attempt),
        transactionClose: (transaction) => tracing.ended(transaction),
      },
      ...options.spans.includes("handler") && {
        handlerStarted: (run: HandlerRun) => tracing.handles(run),
      },
    };
  },
} satisfies Plugin<TraceOptions>;

/** Makes places and spans. */
class Tracing {
  readonly #context: PluginContext<TraceOptions>;
  readonly #tracer: Tracer;
  readonly #count: (from: string, sampled: boolean) => void;
  readonly #wantsSessions: boolean;
  readonly #wantsTransactions: boolean;
  readonly #wantsAttempts: boolean;

  constructor(context: PluginContext<TraceOptions>) {
    const { metrics, options } = context;
    this.#context = context;
    this.#tracer = trace.getTracer("headrace");
    const traces = metrics.counter("traces_total", "Transactions by trace", [
      "from",
      "sampled",
    ]);
    this.#count = (from, sampled) => traces.add(1, from, String(sampled));
    this.#wantsSessions = options.spans.includes("session");
    this.#wantsTransactions = options.spans.includes("transaction");
    this.#wantsAttempts = options.spans.includes("attempt");
  }

  begin(session: Session): undefined {
    if (session.data.has(SESSION_SPAN)) return;
    const span = this.#drawn()
      ? this.#tracer.startSpan("session", {
        kind: SpanKind.SERVER,
        startTime: session.startedAt,
        attributes: {
          "headrace.session": session.id,
          "headrace.listener": session.listener,
          "network.transport": "tcp",
          "client.address": session.remote.address,
          "client.port": session.remote.port,
        },
      }, ROOT_CONTEXT)
      : undefined;
    session.data.set(SESSION_SPAN, span);
  }

  /** A handler of any plugin begins. */
  handles(run: HandlerRun): HandlerEnded | undefined {
    if (run.plugin === this.#context.name) return undefined;
    const { transaction, point } = run;
    if (point === "transactionStart" && !transaction!.data.has(TRACED)) {
      const { clock } = this.#context;
      const startTime = clock.wall();
      return (end) => {
        const early = (transaction!.data.get(EARLY) ?? []) as EarlyRun[];
        early.push({ run, startTime, endTime: clock.wall(), end });
        transaction!.data.set(EARLY, early);
      };
    }
    const parent = this.#placeAbove(run);
    if (parent === undefined) return undefined;
    const span = this.#handlerSpan(run, parent);
    return (end) => endHandler(span, end);
  }

  /** Below what a handler's span belongs; undefined where that is not sampled. */
  #placeAbove(
    { session, transaction, attempt }: HandlerRun,
  ): TracePlace | undefined {
    if (transaction === undefined) {
      if (this.#wantsSessions) this.begin(session);
      return placeOf(session.data.get(SESSION_SPAN) as Span | undefined);
    }
    const { request } = transaction;
    const { place } = this.begun(transaction, request);
    if (!place.sampled) return undefined;
    const span = attempt === undefined
      ? undefined
      : this.#tried(request!, attempt).span;
    return placeOf(span) ?? place;
  }

  #handlerSpan(
    { plugin, point }: HandlerRun,
    parent: TracePlace,
    startTime?: number,
  ): Span {
    return this.#tracer.startSpan(point, {
      kind: SpanKind.INTERNAL,
      ...startTime !== undefined && { startTime },
      attributes: { "headrace.plugin": plugin, "headrace.point": point },
    }, contextOf(parent));
  }

  end(session: Session): undefined {
    const span = session.data.get(SESSION_SPAN) as Span | undefined;
    if (span === undefined) return;
    span.setAttributes({
      "headrace.transactions": session.transactions,
      "headrace.bytes_in": session.bytesIn,
      "headrace.bytes_out": session.bytesOut,
    });
    finish(span, session.error);
  }

  /** The transaction's place, made at the first time of asking; `request` where one parsed. */
  begun(transaction: Transaction, request: HttpRequest | undefined): Traced {
    const known = transaction.data.get(TRACED) as Traced | undefined;
    if (known !== undefined) return known;
    const parent = this.#accepted(request);
    const sampled = parent?.sampled ?? this.#drawn();
    this.#count(parent === undefined ? "made" : "accepted", sampled);
    const span = sampled && this.#wantsTransactions
      ? this.#tracer.startSpan(request?.method ?? "HTTP", {
        kind: SpanKind.SERVER,
        startTime: transaction.startedAt,
        attributes: attributesOf(transaction, request),
        links: linksOf(transaction),
      }, contextOf(parent))
      : undefined;
    const traced: Traced = {
      accepted: parent !== undefined,
      place: placeOf(span) ?? {
        traceId: parent?.traceId ?? randomId(16),
        spanId: randomId(8),
        sampled,
      },
      span,
      attempts: new Map(),
    };
    transaction.data.set(TRACED, traced);
    if (sampled) this.#catchUp(transaction, traced.place);
    return traced;
  }

  /** Makes the spans of handlers that ran before it was known where they belong. */
  #catchUp({ data }: Transaction, place: TracePlace): void {
    const early = (data.get(EARLY) ?? []) as readonly EarlyRun[];
    for (const { run, startTime, endTime, end } of early) {
      endHandler(this.#handlerSpan(run, place, startTime), end, endTime);
    }
  }

  tried(request: HttpRequest, attempt: Attempt): undefined {
    this.#tried(request, attempt);
  }

  /** The attempt's place, made at the first time of asking. */
  #tried(request: HttpRequest, attempt: Attempt): TracedAttempt {
    const { place, attempts } = this.begun(request.transaction, request);
    const known = attempts.get(attempt.number);
    if (known !== undefined) return known;
    // The one before it got no answer, or none that was used.
    const before = attempts.get(attempt.number - 1);
    if (before?.span !== undefined) {
      const { attempts: views } = request.transaction;
      endAttempt(before.span, views[attempt.number - 2]);
    }
    const span = place.sampled && this.#wantsAttempts
      ? this.#tracer.startSpan(request.method, {
        kind: SpanKind.CLIENT,
        attributes: {
          "http.request.method": request.method,
          "headrace.cluster": attempt.cluster,
          "headrace.subcluster": attempt.subcluster,
          "headrace.attempt": attempt.number,
        },
      }, contextOf(place))
      : undefined;
    const traced: TracedAttempt = {
      span,
      place: placeOf(span) ?? { ...place, spanId: randomId(8) },
    };
    attempts.set(attempt.number, traced);
    return traced;
  }

  sending({ headers, transaction }: HttpRequest, attempt: Attempt): undefined {
    const traced = transaction.data.get(TRACED) as Traced | undefined;
    const one = traced?.attempts.get(attempt.number);
    if (traced === undefined || one === undefined) return;
    headers.set("traceparent", formatTraceparent(one.place));
    // That of a trace that nobody goes on with tells nothing (§3.3).
    if (!traced.accepted) headers.delete("tracestate");
  }

  ended(transaction: Transaction): undefined {
    const { request, attempts, status, error, timings } = transaction;
    const traced = this.begun(transaction, request);
    const last = traced.attempts.get(attempts.length);
    if (last?.span !== undefined) endAttempt(last.span, attempts.at(-1));
    const { span } = traced;
    if (span === undefined) return;
    for (
      const name of ["requestHead", "connected", "responseHead"] as const
    ) {
      const at = timings[name];
      if (at !== undefined) span.addEvent(name, transaction.startedAt + at);
    }
    span.setAttributes({
      "http.response.status_code": status,
      "http.request.size": transaction.bytesIn,
      "http.response.size": transaction.bytesOut,
      ...request !== undefined && { "headrace.product": request.product ?? "" },
      ...request?.cluster !== undefined &&
        { "headrace.cluster": request.cluster },
      ...attempts.length > 0 && {
        "headrace.backend": attempts.at(-1)!.backend,
        "headrace.attempts": attempts.length,
      },
    });
    finish(span, error, status >= 500);
  }

  #drawn(): boolean {
    const { sample } = this.#context.options;
    return sample === 1 || Math.random() < sample;
  }

  #accepted(request: HttpRequest | undefined): TracePlace | undefined {
    const { accept } = this.#context.options;
    if (request === undefined || accept === "never") return undefined;
    if (accept === "trusted" && !request.trusted) return undefined;
    const field = request.headers.get("traceparent");
    return field === null ? undefined : parseTraceparent(field);
  }
}

/** A span's own place; undefined where nobody records it. */
function placeOf(span: Span | undefined): TracePlace | undefined {
  if (span === undefined || !span.isRecording()) return undefined;
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceId,
    spanId,
    sampled: (traceFlags & TraceFlags.SAMPLED) !== 0,
  };
}

/** What spans below this place are made in. */
function contextOf(parent: TracePlace | undefined): Context {
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, sampled } = parent;
  return trace.setSpanContext(contexts.active(), {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  });
}

function linksOf({ session }: Transaction): Link[] {
  const span = session.data.get(SESSION_SPAN) as Span | undefined;
  return span === undefined ? [] : [{ context: span.spanContext() }];
}

/** By OpenTelemetry's semantic conventions for HTTP. */
function attributesOf(
  { id, session, number }: Transaction,
  request: HttpRequest | undefined,
): Attributes {
  return {
    "headrace.session": session.id,
    "headrace.transaction": id,
    "headrace.transaction_number": number,
    "headrace.listener": session.listener,
    "client.address": request?.clientAddress ?? session.remote.address,
    "network.peer.address": session.remote.address,
    ...request !== undefined && {
      "http.request.method": request.method,
      "url.scheme": request.scheme,
      "url.path": request.path,
      "server.address": request.host,
      "network.protocol.version": request.version,
      "user_agent.original": request.headers.get("user-agent") ?? "",
    },
  };
}

function endAttempt(span: Span, attempt: Attempt | undefined): void {
  if (attempt !== undefined) {
    const { backend, connection, status } = attempt;
    span.setAttributes({
      "headrace.backend": backend,
      ...connection !== undefined && {
        "network.peer.address": connection.remote.address,
        "network.peer.port": connection.remote.port,
        "headrace.reused": connection.reused,
      },
      ...status > 0 && { "http.response.status_code": status },
    });
  }
  finish(span, attempt?.error, (attempt?.status ?? 0) >= 400);
}

function endHandler(
  span: Span,
  { verdict, error }: HandlerEnd,
  endTime?: number,
): void {
  if (verdict !== undefined) span.setAttribute("headrace.verdict", verdict);
  finish(span, error, false, endTime);
}

function finish(
  span: Span,
  error: Failure | undefined,
  failed = false,
  endTime?: number,
): void {
  if (error !== undefined) span.setAttribute("error.type", error.code);
  if (error !== undefined || failed) {
    span.setStatus({
      code: SpanStatusCode.ERROR,
      ...error !== undefined && { message: error.message },
    });
  }
  span.end(endTime);
}
