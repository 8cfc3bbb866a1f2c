/**
 * Log records as lines: JSON for machines, text for people.
 *
 * Whatever a client, a backend or a plugin put into a record, it can't forge a
 * second one or steer a terminal: control characters are escaped.
 *
 * @module
 */
import {
  getTextFormatter,
  type LogLevel as LogTapeLevel,
  sanitizeControlSequences,
} from "@logtape/logtape";

/** Levels, from the least to the most urgent. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** A record's level. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts of a record by name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One event told to the log. */
export interface LogEvent {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** One record as text that ends with a line feed. */
export type LogFormatter = (event: LogEvent) => string;

const RESERVED = ["time", "level", "message"];

/**
 * A record as one line of JSON: `time` (ISO), `level`, `message`, then the
 * fields. A field with one of these three names gets a `_` behind it. Errors
 * come with their stack.
 */
export function formatJson(event: LogEvent): string {
  const { time, level, message, fields } = event;
  const iso = new Date(time).toISOString();
  let line = `{"time":"${iso}","level":"${level}","message":${
    JSON.stringify(message)
  }`;
  for (const [name, value] of Object.entries(fields)) {
    const json = toJson(value);
    if (json === undefined) continue;
    const key = RESERVED.includes(name) ? `${name}_` : name;
    line += `,${JSON.stringify(key)}:${json}`;
  }
  return `${escapeC1(line)}}\n`;
}

const SAFE = { sgr: "escape", newlines: "escape" } as const;

const LOGTAPE_LEVELS = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
} as const satisfies Record<LogLevel, LogTapeLevel>;

/** LogTape's formatters are values; its loggers, which are global, are not used. */
const renderText = getTextFormatter({
  timestamp: "rfc3339",
  level: "ABBR",
  sanitize: SAFE,
  value: (value) => sanitizeControlSequences(toText(value), SAFE),
  format: ({ timestamp, level, message }) => `${timestamp} ${level} ${message}`,
});

/**
 * A record for people: time, level, message and `name=value` of the fields on
 * one line, then, indented, the stacks of its errors.
 */
export function formatText(event: LogEvent): string {
  const { time, level, message, fields } = event;
  // LogTape's form of a message: texts, and values between them.
  const parts: unknown[] = [];
  let text = message;
  let stacks = "";
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    parts.push(`${text} ${name}=`, value);
    text = "";
    if (value instanceof Error) stacks += indentStack(value);
  }
  parts.push(text);
  return renderText({
    category: [],
    level: LOGTAPE_LEVELS[level],
    message: parts,
    rawMessage: message,
    timestamp: time,
    properties: {},
  }) + stacks;
}

function indentStack(error: Error): string {
  const frames = (error.stack ?? "").split("\n").filter((line) =>
    /^\s+at /.test(line)
  );
  return frames.map((frame) =>
    `    ${sanitizeControlSequences(frame.trim(), SAFE)}\n`
  ).join("");
}

/** A field's value in text: bare where that is unambiguous. */
function toText(value: unknown): string {
  if (typeof value === "string") {
    return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  }
  if (value instanceof Error) return JSON.stringify(String(value));
  return toJson(value) ?? String(value);
}

/** A field's value in JSON; undefined where it has none. */
function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, replace);
  } catch {
    // Cycles, or a getter or toJSON that throws: the record matters more than
    // its form.
    return JSON.stringify(inspect(value));
  }
}

function inspect(value: unknown): string {
  try {
    return Deno.inspect(value);
  } catch {
    // The value's own inspection throws too: nothing of it can be told.
    return "[unprintable]";
  }
}

function replace(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  // Own properties first: some errors carry a name or message of their own.
  return Object.assign({}, value, { name, message, stack, cause });
}

/** JSON leaves these as they are, but a terminal takes them as commands. */
function escapeC1(json: string): string {
  return json.replaceAll(
    /[\x7f-\x9f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
