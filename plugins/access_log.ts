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
 *   - { use: "builtin:access-log", options: { format: combined, path: access.log } }
 * ```
 *
 * `common` and `combined` are Apache's formats, where `%l` and `%u` are always
 * `-` and `%b` counts the head too. `json` is one object a line:
 *
 * | key | value |
 * |---|---|
 * | `time` | when the first byte came, ISO 8601 |
 * | `session`, `transaction` | their ids |
 * | `client` | its address, through trusted proxies |
 * | `protocol` | `HTTP/1.0`, `HTTP/1.1`, `HTTP/2.0`, `TCP`; `HTTP` where no request parsed |
 * | `method`, `target`, `host` | of the request as it came |
 * | `status` | what was sent; 499 where the client left before, 0 for nothing |
 * | `bytesIn`, `bytesOut` | from and to the client, heads included |
 * | `durationMs` | until the response was out or given up |
 * | `product`, `cluster`, `backend` | the way it took; the last attempt's backend, for TCP the session's |
 * | `attempts` | a list of `{ backend, status, error, reused }` |
 * | `error` | `{ code, side }` where it failed |
 * | `userAgent`, `referer` | fields of the request |
 * | `listener` | its name |
 *
 * A key without a value is left out. Give the plugin a low `order` to have the
 * method and target logged before other plugins change them. One that is
 * limited to some `products` needs `tcp: false`, as sessions have no product.
 *
 * The file is appended to, by each worker by itself. Lines are written in
 * batches, after 64 KiB or 100 ms, and never hold up traffic: what a full disk
 * or a slow reader does not take is dropped, counted in
 * `headrace_plugin_access_log_lines_lost_total{reason}` and told to the log
 * once a minute.
 *
 * @module
 */
import { z } from "zod";
import type {
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

const Options = z.strictObject({
  format: z.enum(FORMATS).default("json")
    .describe(
      "Apache's common or combined log format, or one JSON object a line",
    ),
  path: z.string().min(1).optional()
    .describe(
      "The file to append to, relative to the working directory; left out: standard output",
    ),
  sample: z.number().min(0).max(1).default(1)
    .describe("The share of lines that is written, chosen at random"),
  errorsOnly: z.boolean().default(false)
    .describe(
      "Only what failed: statuses from 400, and what ended without an answer or with an error",
    ),
  tcp: z.boolean().default(true).describe("Also a line for each TCP session"),
}).prefault({});

type AccessLogOptions = z.output<typeof Options>;

/** Where the request is kept as it came, in a transaction's data. */
const REQUEST_LINE = Symbol("access-log request line");

/** Milliseconds between two log lines about lost ones. */
const REPORT_INTERVAL = 60_000;

export default {
  name: "access-log",
  options: Options,
  async setup(context) {
    const { path } = context.options;
    if (path === undefined) return startLog(context, Deno.stdout, () => {});
    const file = await openLog(path);
    return startLog(context, file, () => file.close());
  },
} satisfies Plugin<AccessLogOptions>;

async function openLog(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { append: true, create: true });
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
  closeOutput: () => void,
): PluginParts {
  const { options, clock, metrics } = context;
  const format = lineFormat(options.format, clock);
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
        request.transaction.data.set(REQUEST_LINE, { method, target });
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
      closeOutput();
    },
  };
}

function formatTransaction(
  format: LineFormat,
  transaction: Transaction,
): string {
  // Before foundProduct nothing but a request without a product ends.
  const kept = transaction.data.get(REQUEST_LINE) as RequestLine | undefined;
  return format.transaction(transaction, kept ?? transaction.request);
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
