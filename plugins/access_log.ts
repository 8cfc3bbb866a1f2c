/**
 * Writes a line for each transaction, failed ones too, and for each TCP
 * session.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - { use: "builtin:access-log", options: { format: combined, path: access.log, rotate: { bytes: 10MiB, keep: 3 } } }
 * ```
 *
 * `common` and `combined` are Apache's formats, where `%l` and `%u` are always
 * `-` and `%b` counts the head too. `json` is one object a line:
 *
 * | key | value |
 * |---|---|
 * | `time` | when the first byte came, ISO 8601 |
 * | `session`, `transaction` | their ids |
 * | `requestId` | that of `builtin:request-id`, where it is another one |
 * | `client` | its address, through trusted proxies |
 * | `protocol` | `HTTP/1.0`, `HTTP/1.1`, `HTTP/2.0`, `TCP`; `HTTP` where no request parsed |
 * | `method`, `target`, `host` | of the request as it came |
 * | `status` | what was sent; 499 where the client left before, 0 for nothing |
 * | `bytesIn`, `bytesOut` | from and to the client, heads included |
 * | `durationMs` | until the response was out or given up |
 * | `product`, `cluster`, `backend` | the way it took; the last attempt's backend, for TCP the session's |
 * | `attempts` | a list of `{ id, backend, status, error, reused }`; `failover: true` where a WebSocket session came to another backend |
 * | `error` | `{ code, side }` where it failed |
 * | `userAgent`, `referer` | fields of the request |
 * | `listener` | its name |
 *
 * A key without a value is left out. Give the plugin a low `order` to have the
 * method and target logged before other plugins change them. One that is
 * limited to some `products` needs `tcp: false`, as sessions have no product.
 *
 * `template` is a line of your own, with the variables of `builtin:headers` and
 * `%{bytes_in}`, `%{bytes_out}`, `%{attempts}` (their number), `%{backends}`,
 * `%{error}`, `%{error_side}`, `%{response_head_ms}`. Values are escaped as in
 * Apache's formats, one without a value is `-`; the target is the one that the
 * backend got.
 *
 * The file is one for all workers and belongs to the supervisor. With `rotate`
 * it is moved to `access.log.1` and begun anew before it would grow over
 * `bytes`, and so are those before it, up to `keep`. Somebody else may move it
 * away: at SIGHUP, and each reload, it is opened anew by its path, also where
 * the new config is refused.
 *
 * Lines are written in batches, after 64 KiB or 100 ms, and never hold up
 * traffic: what a full disk or a slow reader does not take is dropped, counted
 * in `headrace_plugin_access_log_lines_lost_total{reason}` and told to the log
 * once a minute; a batch is in the file whole or not at all.
 * `headrace_plugin_access_log_lines_total` counts those that were written.
 *
 * @module
 */
import { z } from "zod";
import type {
  LineFile,
  Log,
  Plugin,
  PluginContext,
  PluginParts,
  Session,
  Transaction,
} from "../core/plugin.ts";
import {
  FORMATS,
  type LineFormat,
  lineFormat,
  type RequestLine,
} from "./access_log_format.ts";
import { type BatchOutput, BatchWriter } from "./batch_writer.ts";
import { size } from "./size.ts";
import { templateProblem } from "./template.ts";

const Options = z.strictObject({
  format: z.enum(FORMATS).default("json")
    .describe(
      "Apache's common or combined log format, one JSON object a line, or a template",
    ),
  template: z.string().min(1).superRefine((text, context) => {
    const message = templateProblem(text, "log");
    if (message !== undefined) context.addIssue(message);
  }).optional().describe("The line of the format template, with variables"),
  path: z.string().min(1).optional()
    .describe(
      "The file to append to, relative to the working directory; left out: standard output",
    ),
  rotate: z.strictObject({
    bytes: size().prefault("100MiB").describe(
      "The size that the file does not grow over",
    ),
    keep: z.int().min(0).max(1_000).default(5).describe(
      "How many older files are kept",
    ),
  }).optional().describe("Begins the file anew when it is large"),
  sample: z.number().min(0).max(1).default(1)
    .describe("The share of lines that is written, chosen at random"),
  errorsOnly: z.boolean().default(false)
    .describe(
      "Only what failed: statuses from 400, and what ended without an answer or with an error",
    ),
  tcp: z.boolean().default(true).describe("Also a line for each TCP session"),
}).superRefine(({ format, template, path, rotate }, context) => {
  if ((format === "template") !== (template !== undefined)) {
    context.addIssue({
      code: "custom",
      path: ["template"],
      message: "Expected template together with format: template",
    });
  }
  if (rotate !== undefined && path === undefined) {
    context.addIssue({
      code: "custom",
      path: ["rotate"],
      message: "Cannot rotate standard output: expected path",
    });
  }
}).prefault({});

type AccessLogOptions = z.output<typeof Options>;

/** Where the request is kept as it came, in a transaction's data: its method, a space, its target. */
const REQUEST_LINE = Symbol("access-log request line");

/** Milliseconds between two log lines about lost ones. */
const REPORT_INTERVAL = 60_000;

export default {
  name: "access-log",
  options: Options,
  async setup(context) {
    const { path, rotate } = context.options;
    if (path === undefined) return startLog(context, Deno.stdout, () => {});
    const file = await openLog(context, path, rotate);
    return startLog(context, file, () => file.close());
  },
} satisfies Plugin<AccessLogOptions>;

async function openLog(
  { lineFile }: PluginContext<AccessLogOptions>,
  path: string,
  rotate: AccessLogOptions["rotate"],
): Promise<LineFile> {
  try {
    return await lineFile(
      path,
      rotate && { maxBytes: rotate.bytes, keep: rotate.keep },
    );
  } catch (cause) {
    throw new Error(
      `Cannot open access log ${JSON.stringify(path)}: ${
        cause instanceof Error ? cause.message : cause
      }`,
      { cause },
    );
  }
}

function startLog(
  context: PluginContext<AccessLogOptions>,
  output: BatchOutput,
  closeOutput: () => void | Promise<void>,
): PluginParts {
  const { options, clock, metrics } = context;
  const format = lineFormat(options, context);
  const written = metrics.counter("lines_total", "Lines written");
  const lost = metrics.counter(
    "lines_lost_total",
    "Lines that could not be written",
    ["reason"],
  );
  const losses = new LossReport(context);
  const writer = new BatchWriter({
    output,
    clock,
    onWritten: (lines) => written.add(lines),
    onLost(lines, reason, error) {
      lost.add(lines, reason);
      losses.add(lines, reason, error);
    },
  });
  return {
    handlers: {
      foundProduct(request) {
        const { method, target } = request;
        request.transaction.data.set(REQUEST_LINE, `${method} ${target}`);
      },
      transactionClose(transaction) {
        if (options.errorsOnly && !failed(transaction)) return;
        if (!drawn(options.sample)) return;
        writer.write(formatTransaction(format, transaction));
      },
      ...options.tcp && {
        finish(session: Session) {
          if (session.protocol !== "tcp") return;
          if (options.errorsOnly && session.error === undefined) return;
          if (!drawn(options.sample)) return;
          writer.write(format.session(session));
        },
      },
    },
    async close() {
      await writer.close();
      losses.report();
      await closeOutput();
    },
  };
}

function formatTransaction(
  format: LineFormat,
  transaction: Transaction,
): string {
  // Before foundProduct nothing but a request without a product ends.
  const kept = transaction.data.get(REQUEST_LINE) as string | undefined;
  return format.transaction(
    transaction,
    kept === undefined ? transaction.request : requestLine(kept),
  );
}

function requestLine(text: string): RequestLine {
  const space = text.indexOf(" ");
  return { method: text.slice(0, space), target: text.slice(space + 1) };
}

/** Status 0: a handler had the connection closed without an answer. */
function failed(transaction: Transaction): boolean {
  const { status, error } = transaction;
  return error !== undefined || status >= 400 || status === 0;
}

function drawn(share: number): boolean {
  return share === 1 || Math.random() < share;
}

/** Tells the log of lost lines, at once and then at most once a minute. */
class LossReport {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #path: string;
  #lines = 0;
  #details: Readonly<Record<string, unknown>> = {};
  #next = -Infinity;

  constructor(context: PluginContext<AccessLogOptions>) {
    this.#log = context.log;
    this.#now = () => context.clock.now();
    this.#path = context.options.path ?? "standard output";
  }

  add(lines: number, reason: string, error: unknown): void {
    this.#lines += lines;
    this.#details = { reason, error };
    if (this.#now() >= this.#next) this.report();
  }

  /** Tells what was not told yet. */
  report(): void {
    if (this.#lines === 0) return;
    this.#log.error("Cannot write all lines of the access log", {
      path: this.#path,
      lines: this.#lines,
      ...this.#details,
    });
    this.#lines = 0;
    this.#next = this.#now() + REPORT_INTERVAL;
  }
}
