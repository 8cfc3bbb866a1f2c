/**
 * The log: records with fields, one line each, to standard error.
 *
 * A log is a value: the main thread and each worker make their own, tests as
 * many as they like.
 *
 * @module
 */
import type { Log } from "../plugin.ts";
import {
  formatJson,
  formatText,
  LOG_LEVELS,
  type LogFields,
  type LogFormatter,
  type LogLevel,
} from "./log_format.ts";
import { StderrWriter } from "./stderr_writer.ts";

/** What a log is made of. */
export interface LogOptions {
  /** Records below it are left out; `info`. */
  readonly level?: LogLevel;
  /** `json`. */
  readonly format?: "json" | "text";
  /** Takes a line with its line feed; standard error. */
  readonly write?: (line: string) => void;
  /** Milliseconds since the epoch; the machine's clock. */
  readonly wall?: () => number;
  /** Fields of every record. */
  readonly fields?: LogFields;
}

/** The core's log: a plugin's log that can be narrowed and flushed. None of it throws. */
export interface CoreLog extends Log {
  /** The same log with further fields in every record. */
  with(fields: LogFields): CoreLog;
  /**
   * Waits until all lines so far are out, at most a second: before a worker
   * ends or the process exits.
   */
  flush(): Promise<void>;
  /** Lines that could not be written. */
  readonly lost: number;
}

/** Where lines go. */
interface LineOutput {
  write(line: string): void;
  flush(): Promise<void>;
  /** Lines that could not be written. */
  lost: number;
}

/** Makes a log. */
export function createLog(options: LogOptions = {}): CoreLog {
  const { level = "info", format = "json", wall = Date.now } = options;
  return new LineLog({
    output: options.write === undefined
      ? openStderr()
      : new FunctionOutput(options.write),
    format: format === "json" ? formatJson : formatText,
    lowest: LOG_LEVELS.indexOf(level),
    wall,
  }, options.fields ?? {});
}

/** The process may end without a word, so what is queued goes out then. */
function openStderr(): LineOutput {
  const writer = new StderrWriter();
  globalThis.addEventListener("unload", () => writer.flushSync());
  return writer;
}

class FunctionOutput implements LineOutput {
  readonly #write: (line: string) => void;
  lost = 0;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  write(line: string): void {
    this.#write(line);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }
}

/** What a log and all narrower ones of it share. */
interface LogCore {
  readonly output: LineOutput;
  readonly format: LogFormatter;
  /** Index in `LOG_LEVELS`. */
  readonly lowest: number;
  readonly wall: () => number;
}

class LineLog implements CoreLog {
  readonly #core: LogCore;
  readonly #fields: LogFields;

  constructor(core: LogCore, fields: LogFields) {
    this.#core = core;
    this.#fields = fields;
  }

  debug(message: string, fields?: LogFields): void {
    this.#record("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#record("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#record("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#record("error", message, fields);
  }

  with(fields: LogFields): CoreLog {
    return new LineLog(this.#core, { ...this.#fields, ...fields });
  }

  flush(): Promise<void> {
    return this.#core.output.flush();
  }

  get lost(): number {
    return this.#core.output.lost;
  }

  #record(level: LogLevel, message: string, more?: LogFields): void {
    const { output, format, lowest, wall } = this.#core;
    if (LOG_LEVELS.indexOf(level) < lowest) return;
    try {
      const fields = more === undefined
        ? this.#fields
        : { ...this.#fields, ...more };
      output.write(format({ time: wall(), level, message, fields }));
    } catch {
      // Nobody is left to be told, and traffic must not suffer from its log.
      output.lost++;
    }
  }
}
