/**
 * Texts with variables, `%{client_address}`, compiled once and rendered per
 * request. `%%` is a percent sign.
 *
 * The config expands `${NAME}` itself, so variables of a request are spelt
 * otherwise.
 *
 * @module
 */
import type {
  Attempt,
  Clock,
  HttpRequest,
  HttpResponse,
} from "../core/plugin.ts";

/** What variables can be read from at one moment. */
export type Scope = "request" | "response";

/** A compiled text. Variables without a value are empty. */
export interface Template {
  /** Whether it tells the backend, which a request learns late. */
  readonly usesBackend: boolean;
  /** The text for this moment, fit for a field's value. */
  render(
    request: HttpRequest | undefined,
    response?: HttpResponse,
    attempt?: Attempt,
  ): string;
}

/** A variable in a template. */
interface Variable {
  readonly name: string;
  /** What follows the colon. */
  readonly argument: string;
}

type Reader = (
  request: HttpRequest,
  attempt: Attempt | undefined,
) => string | undefined;

/** Variables that a request tells, by name. */
const REQUEST_VARIABLES: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["client_address", (request) => request.clientAddress],
  ["client_port", (request) => String(request.session.remote.port)],
  ["host", (request) => request.host],
  ["method", (request) => request.method],
  ["path", (request) => request.path],
  ["query", (request) => request.query],
  ["target", (request) => request.target],
  ["scheme", (request) => request.scheme],
  ["product", (request) => request.product],
  ["cluster", (request) => request.cluster],
  [
    "backend",
    (request, attempt) =>
      (attempt ?? request.transaction.attempts.at(-1))?.backend,
  ],
  ["session_id", (request) => request.session.id],
  ["transaction_id", (request) => request.id],
  ["listener", (request) => request.session.listener],
]);

/** Variables with an argument, by name: what reads the argument's value. */
const NAMED_VARIABLES: ReadonlyMap<
  string,
  (request: HttpRequest, name: string) => string | undefined
> = new Map([
  ["header", (request, name) => request.headers.get(name) ?? undefined],
  ["cookie", (request, name) => request.cookie(name)],
]);

/** Variables that need no request. */
const OTHER_VARIABLES = ["status", "time_iso", "time_unix"];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Why a template can't be used in this scope; undefined where it can. */
export function templateProblem(
  text: string,
  scope: Scope,
): string | undefined {
  try {
    parse(text, scope);
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return error.message;
    throw error;
  }
}

/** Whose text a variable tells: the config's and the proxy's own, or whatever a client may send. */
export type ValueSource = "proxy" | "client" | "target";

/** Makes a variable's value fit for where it goes. */
export type ValueEncoder = (value: string, source: ValueSource) => string;

/**
 * Compiles a template; without `encode` it is for a field's value. Throws a
 * `SyntaxError` for what `templateProblem` tells.
 */
export function compileTemplate(
  text: string,
  scope: Scope,
  clock: Clock,
  encode?: ValueEncoder,
): Template {
  const parts = parse(text, scope);
  const usesBackend = parts.some((part) =>
    typeof part !== "string" && part.name === "backend"
  );
  if (parts.every((part) => typeof part === "string")) {
    const constant = parts.join("");
    return { usesBackend, render: () => constant };
  }
  return {
    usesBackend,
    render(request, response, attempt) {
      let rendered = "";
      for (const part of parts) {
        if (typeof part === "string") {
          rendered += part;
          continue;
        }
        const value = valueOf(part, clock, request, response, attempt) ?? "";
        rendered += encode === undefined
          ? value
          : encode(value, sourceOf(part.name));
      }
      return encode === undefined ? fieldValue(rendered) : rendered;
    },
  };
}

/** The parts of the target keep the escapes that the client gave them. */
const TARGET_VARIABLES = ["path", "query", "target"];

function sourceOf(name: string): ValueSource {
  if (TARGET_VARIABLES.includes(name)) return "target";
  return NAMED_VARIABLES.has(name) || name === "host" || name === "method"
    ? "client"
    : "proxy";
}

function valueOf(
  variable: Variable,
  clock: Clock,
  request: HttpRequest | undefined,
  response: HttpResponse | undefined,
  attempt: Attempt | undefined,
): string | undefined {
  const { name, argument } = variable;
  switch (name) {
    case "status":
      return response && String(response.status);
    case "time_iso":
      return new Date(clock.wall()).toISOString();
    case "time_unix":
      return String(Math.floor(clock.wall() / 1000));
  }
  if (request === undefined) return undefined;
  const named = NAMED_VARIABLES.get(name);
  return named === undefined
    ? REQUEST_VARIABLES.get(name)?.(request, attempt)
    : named(request, argument);
}

/** Names of the config may hold characters that no field may: they are percent-encoded. */
function fieldValue(text: string): string {
  return text.replaceAll(
    /[^\t\x20-\x7e\x80-\xff]/gu,
    (char) => encodeURIComponent(char.toWellFormed()),
  ).trim();
}

/** Texts and variables in turn. */
function parse(text: string, scope: Scope): (string | Variable)[] {
  const parts: (string | Variable)[] = [];
  let rest = text;
  for (;;) {
    const percent = rest.indexOf("%");
    if (percent === -1) break;
    if (percent > 0) parts.push(rest.slice(0, percent));
    rest = rest.slice(percent);
    if (rest.startsWith("%%")) {
      parts.push("%");
      rest = rest.slice(2);
      continue;
    }
    const found = /^%\{([^{}]*)\}/.exec(rest);
    if (found === null) {
      throw new SyntaxError(
        `Cannot read ${
          JSON.stringify(rest.slice(0, 20))
        } as a variable: expected %{name}, or %% for a percent sign`,
      );
    }
    parts.push(parseVariable(found[1] as string, scope));
    rest = rest.slice(found[0].length);
  }
  if (rest !== "") parts.push(rest);
  return parts;
}

function parseVariable(text: string, scope: Scope): Variable {
  const colon = text.indexOf(":");
  const name = colon === -1 ? text : text.slice(0, colon);
  const argument = colon === -1 ? "" : text.slice(colon + 1);
  const named = NAMED_VARIABLES.has(name);
  if (
    !named && !REQUEST_VARIABLES.has(name) && !OTHER_VARIABLES.includes(name)
  ) {
    throw new SyntaxError(
      `Unknown variable %{${text}}: expected one of ${variableNames()}`,
    );
  }
  if (name === "status" && scope === "request") {
    throw new SyntaxError(
      "Cannot use %{status} in a request as only a response has a status",
    );
  }
  if (named ? !TOKEN.test(argument) : colon !== -1) {
    throw new SyntaxError(
      named
        ? `Cannot use %{${text}}: expected a name as in %{${name}:x-name}`
        : `Cannot use %{${text}}: expected %{${name}} without an argument`,
    );
  }
  return { name, argument };
}

function variableNames(): string {
  const named = Array.from(NAMED_VARIABLES.keys(), (name) => `${name}:NAME`);
  return [...REQUEST_VARIABLES.keys(), ...OTHER_VARIABLES, ...named].join(", ");
}
