import {
  type Context,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { HandlerEnd, HandlerRun, PointName } from "../../core/plugin.ts";
import tracePlugin from "../../plugins/trace.ts";
import {
  formatTraceparent,
  parseTraceparent,
} from "../../plugins/trace_context.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import {
  fakeAttempt,
  fakeRequest,
  fakeSession,
  fakeTransaction,
  startPlugin,
} from "../../core/testing/views.ts";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** A span that was made. */
interface Recorded {
  readonly name: string;
  readonly kind: SpanKind | undefined;
  readonly context: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly links: readonly string[];
  readonly attributes: Record<string, unknown>;
  readonly events: string[];
  status: SpanStatus | undefined;
  ended: number;
}

/** Records spans, as the runtime does with OTEL_DENO=true. */
function record(): { spans: Recorded[]; [Symbol.dispose](): void } {
  const spans: Recorded[] = [];
  const startSpan = (
    name: string,
    options: SpanOptions = {},
    context?: Context,
  ): Span => {
    const parent = context && trace.getSpanContext(context);
    const number = String(spans.length + 1).padStart(16, "0");
    const span: Recorded = {
      name,
      kind: options.kind,
      parent,
      context: {
        traceId: parent?.traceId ?? number.padStart(32, "a"),
        spanId: number,
        traceFlags: 1,
      },
      links: (options.links ?? []).map(({ context }) => context.spanId),
      attributes: { ...options.attributes },
      events: [],
      status: undefined,
      ended: 0,
    };
    spans.push(span);
    const view = {
      spanContext: () => span.context,
      isRecording: () => true,
      setAttribute(key: string, value: unknown) {
        span.attributes[key] = value;
        return view;
      },
      setAttributes(values: object) {
        Object.assign(span.attributes, values);
        return view;
      },
      addEvent(event: string) {
        span.events.push(event);
        return view;
      },
      setStatus(status: SpanStatus) {
        span.status = status;
        return view;
      },
      end() {
        span.ended++;
      },
    };
    return view as unknown as Span;
  };
  trace.setGlobalTracerProvider({
    getTracer: () => ({ startSpan }) as unknown as Tracer,
  });
  return { spans, [Symbol.dispose]: () => trace.disable() };
}

const PARENTS: readonly (readonly [string, boolean | undefined])[] = [
  [PARENT, true],
  [PARENT.replace(/01$/, "00"), false],
  [PARENT.replace(/01$/, "03"), true],
  [PARENT.replace("00-", "01-") + "-more", true],
  [`${PARENT}-more`, undefined],
  [PARENT.replace("00-", "ff-"), undefined],
  [PARENT.toUpperCase(), undefined],
  [
    PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0".repeat(32)),
    undefined,
  ],
  [PARENT.replace("b7ad6b7169203331", "0".repeat(16)), undefined],
  [PARENT.slice(1), undefined],
  [`${PARENT}, ${PARENT}`, undefined],
  ["", undefined],
];
for (const [field, sampled] of PARENTS) {
  Deno.test(`traceparent ${field.slice(0, 80)}`, () => {
    const place = parseTraceparent(field);
    assertEquals(place?.sampled, sampled);
    if (place !== undefined) {
      assertEquals(parseTraceparent(formatTraceparent(place)), place);
    }
  });
}

/** What a backend gets of a request with these fields. */
async function sent(
  options: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>>,
  trusted = true,
) {
  const plugin = await startPlugin(tracePlugin, options);
  const request = fakeRequest({ headers, trusted });
  await plugin.handlers.foundProduct?.(request);
  const attempt = fakeAttempt();
  await plugin.handlers.forward?.(request, attempt);
  await plugin.handlers.sendRequestHeader?.(request, attempt);
  return { plugin, request, field: request.headers.get("traceparent") ?? "" };
}

Deno.test("trace goes on with a trusted trace, with a span of its own", async () => {
  const { field, request, plugin } = await sent({}, {
    traceparent: PARENT,
    tracestate: "a=b",
  });
  assertMatch(field, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  assert(!field.includes("b7ad6b7169203331"));
  assertEquals(request.headers.get("tracestate"), "a=b");
  assertEquals(request.tags.get("trace_id"), [
    "0af7651916cd43dd8448eb211c80319c",
  ]);
  assertStringIncludes(
    plugin.metrics(),
    'traces_total{from="accepted",sampled="true"} 1',
  );
});

Deno.test("trace begins a trace of its own for strangers and nonsense", async () => {
  const rows = [
    [{}, PARENT, false],
    [{ accept: "never" }, PARENT, true],
    [{}, "nonsense", true],
  ] as const;
  for (const [options, traceparent, trusted] of rows) {
    const { field, request } = await sent(
      options,
      { traceparent, tracestate: "a=b" },
      trusted,
    );
    assertMatch(field, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert(!field.includes("0af7651916cd43dd8448eb211c80319c"));
    assertEquals(request.headers.get("tracestate"), null);
  }
});

Deno.test("trace samples by its share, or as the trace's maker decided", async () => {
  using recorded = record();
  assertMatch((await sent({ sample: 0 }, {})).field, /-00$/);
  const unsampled = { traceparent: PARENT.replace(/01$/, "00") };
  assertMatch((await sent({ sample: 1 }, unsampled)).field, /-00$/);
  assertEquals(recorded.spans, []);
  assertMatch(
    (await sent({ sample: 0 }, { traceparent: PARENT })).field,
    /-01$/,
  );
  assertEquals(recorded.spans.length, 2);
});

Deno.test("trace makes a span of each transaction and each attempt", async () => {
  using recorded = record();
  const { handlers } = await startPlugin(tracePlugin);
  const error = {
    code: "connect_refused",
    side: "backend",
    message: "refused",
  } as const;
  const attempts = [
    fakeAttempt({ status: 0, error, connection: undefined }),
    fakeAttempt({ number: 2, backend: "a2" }),
  ];
  const transaction = fakeTransaction({
    attempts,
    request: { trusted: true, headers: { traceparent: PARENT } },
  });
  const request = transaction.request!;
  await handlers.foundProduct?.(request);
  const fields: string[] = [];
  for (const attempt of attempts) {
    await handlers.forward?.(request, attempt);
    await handlers.sendRequestHeader?.(request, attempt);
    fields.push(request.headers.get("traceparent") ?? "");
  }
  await handlers.transactionClose?.(transaction);
  const [server, first, second, ...others] = recorded.spans;
  assertEquals(others, []);
  assertEquals(
    [server?.kind, first?.kind, second?.kind],
    [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.CLIENT],
  );
  assertEquals(server?.parent?.spanId, "b7ad6b7169203331");
  for (const [i, span] of [first, second].entries()) {
    assertEquals(span?.parent?.spanId, server?.context.spanId);
    assertStringIncludes(fields[i]!, `-${span?.context.spanId}-`);
  }
  assertEquals(recorded.spans.map(({ ended }) => ended), [1, 1, 1]);
  assertEquals(first?.attributes["error.type"], "connect_refused");
  assertEquals(second?.attributes["headrace.backend"], "a2");
  assertEquals(server?.attributes["http.response.status_code"], 200);
  assertEquals(server?.attributes["headrace.product"], "shop");
  assertEquals(server?.events, ["requestHead", "connected", "responseHead"]);
  assertEquals([server?.status, first?.status?.code], [undefined, 2]);
});

Deno.test("trace makes a span of what never parsed, and of sessions with their links", async () => {
  using recorded = record();
  const { handlers } = await startPlugin(tracePlugin, {
    spans: ["session", "transaction"],
  });
  const session = fakeSession();
  await handlers.accept?.(session);
  await handlers.transactionClose?.(
    fakeTransaction({ session, request: null, status: 400 }),
  );
  await handlers.finish?.(session);
  const [outer, inner, ...others] = recorded.spans;
  assertEquals(others, []);
  assertEquals([outer?.name, outer?.ended], ["session", 1]);
  assertEquals(inner?.links, [outer!.context.spanId]);
  assertEquals(inner?.attributes["http.response.status_code"], 400);
});

Deno.test("trace makes a span of each handler's run, below what it ran for", async () => {
  using recorded = record();
  const { handlers, parts } = await startPlugin(tracePlugin, {
    spans: ["session", "transaction", "attempt", "handler"],
  });
  const error = {
    code: "handler_error",
    side: "plugin",
    message: "on purpose",
  } as const;
  const session = fakeSession();
  const attempt = fakeAttempt();
  const transaction = fakeTransaction({
    session,
    attempts: [attempt],
    request: {},
  });
  const request = transaction.request!;
  const run = (
    point: PointName,
    facts: Partial<HandlerRun> = {},
    end: HandlerEnd = { verdict: undefined, error: undefined },
  ) =>
    parts.handlerStarted!({
      plugin: "other",
      point,
      session,
      transaction,
      attempt: undefined,
      ...facts,
    })?.(end);
  // Others' handlers run before trace's own.
  run("accept", { transaction: undefined });
  await handlers.accept?.(session);
  run("transactionStart");
  run("readRequestHeader", {}, { verdict: "respond", error: undefined });
  run("readRequestHeader", { plugin: "trace" });
  await handlers.foundProduct?.(request);
  run("forward", { attempt }, { verdict: undefined, error });
  await handlers.forward?.(request, attempt);
  await handlers.transactionClose?.(transaction);
  run("finish", { transaction: undefined });
  await handlers.finish?.(session);

  const byId = new Map(
    recorded.spans.map((span) => [span.context.spanId, span.name]),
  );
  assertEquals(
    recorded.spans.map(({ name, parent, ended }) => [
      name,
      byId.get(parent?.spanId ?? ""),
      ended,
    ]),
    [
      ["session", undefined, 1],
      ["accept", "session", 1],
      ["GET", undefined, 1],
      ["transactionStart", "GET", 1],
      ["readRequestHeader", "GET", 1],
      ["GET", "GET", 1],
      ["forward", "GET", 1],
      ["finish", "session", 1],
    ],
  );
  const [, , server, , answered, client, failed] = recorded.spans;
  assertEquals(answered?.attributes, {
    "headrace.plugin": "other",
    "headrace.point": "readRequestHeader",
    "headrace.verdict": "respond",
  });
  assertEquals([answered?.kind, answered?.status], [
    SpanKind.INTERNAL,
    undefined,
  ]);
  assertEquals(client?.parent?.spanId, server?.context.spanId);
  assertEquals(failed?.parent?.spanId, client?.context.spanId);
  assertEquals(failed?.attributes["error.type"], "handler_error");
  assertEquals(failed?.status, { code: 2, message: "on purpose" });
});

Deno.test("trace makes no spans of handlers where nobody asked, or the trace is not sampled", async () => {
  using recorded = record();
  const quiet = await startPlugin(tracePlugin);
  assertEquals(quiet.parts.handlerStarted, undefined);
  const { parts } = await startPlugin(tracePlugin, {
    spans: ["transaction", "handler"],
    sample: 0,
  });
  const { session, transaction } = fakeRequest();
  for (const point of ["transactionStart", "foundProduct"] as const) {
    const facts = { plugin: "other", session, attempt: undefined };
    parts.handlerStarted!({ ...facts, point, transaction })?.({
      verdict: undefined,
      error: undefined,
    });
  }
  assertEquals(recorded.spans, []);
});
