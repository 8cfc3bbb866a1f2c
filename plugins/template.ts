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
  HttpRequest,
  HttpResponse,
  PluginContext,
  Session,
  Transaction,
} from "../core/plugin.ts";
import {
  type Scope,
  type ValueSource,
  VARIABLES,
  type VariableSpec,
  type Views,
} from "./variables.ts";

export type { Scope, ValueSource };

/** A compiled text. Variables without a value are empty. */
export interface Template {
  /** Whether it tells the backend, which a request learns late. */
  readonly usesBackend: boolean;
  /** The text for this moment, fit for a field's value unless an encoder makes it fit for something else. */
  render(
    request: HttpRequest | undefined,
    response?: HttpResponse,
    attempt?: Attempt,
  ): string;
  /** The text for a transaction that is over, or a session without any. */
  renderLog(session: Session, transaction: Transaction | undefined): string;
}

/** Makes a variable's value fit for where it goes. */
export type ValueEncoder = (value: string, source: ValueSource) => string;

/** What compiling needs of `setup`'s context. */
export type TemplateContext = Pick<
  PluginContext<unknown>,
  "clock" | "needTlsFacts"
>;

/** A variable in a template. */
interface Variable {
  readonly spec: VariableSpec;
  /** What follows the colon. */
  readonly argument: string;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Moments in their order. */
const SCOPES: readonly Scope[] = ["request", "response", "log"];

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

/**
 * Compiles a template; without `encode` it is for a field's value. Throws a
 * `SyntaxError` for what `templateProblem` tells.
 */
export function compileTemplate(
  text: string,
  scope: Scope,
  { clock, needTlsFacts }: TemplateContext,
  encode?: ValueEncoder,
): Template {
  const parts = parse(text, scope);
  const variables = parts.filter((part) => typeof part !== "string");
  const usesBackend = variables.some(({ spec }) => spec.backend);
  if (variables.some(({ spec }) => spec.tls)) needTlsFacts();
  if (variables.length === 0) {
    const constant = parts.join("");
    return {
      usesBackend,
      render: () => constant,
      renderLog: () => constant,
    };
  }
  const render = (views: Views): string => {
    let rendered = "";
    for (const part of parts) {
      if (typeof part === "string") {
        rendered += part;
        continue;
      }
      const { spec, argument } = part;
      const value = spec.read(views, argument) ?? "";
      rendered += encode === undefined ? value : encode(value, spec.source);
    }
    return encode === undefined ? fieldValue(rendered) : rendered;
  };
  return {
    usesBackend,
    render: (request, response, attempt) =>
      render({
        clock,
        request,
        response,
        attempt,
        transaction: request?.transaction,
        session: request?.session,
      }),
    renderLog: (session, transaction) =>
      render({
        clock,
        request: transaction?.request,
        response: transaction?.response,
        attempt: undefined,
        transaction,
        session,
      }),
  };
}

/** Names of the config may hold characters that no field may: they are percent-encoded. */
function fieldValue(text: string): string {
  // Hardly any has one, and looking is cheaper than replacing nothing.
  return (UNFIT.test(text) ? text.replaceAll(ALL_UNFIT, encodeChar) : text)
    .trim();
}

const UNFIT = /[^\t\x20-\x7e\x80-\xff]/;
const ALL_UNFIT = /[^\t\x20-\x7e\x80-\xff]/gu;

function encodeChar(char: string): string {
  return encodeURIComponent(char.toWellFormed());
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
  const spec = VARIABLES.get(name);
  if (spec === undefined) {
    throw new SyntaxError(
      `Unknown variable %{${text}}: expected one of ${variableNames(scope)}`,
    );
  }
  if (!isThere(spec, scope)) {
    throw new SyntaxError(
      spec.from === "log"
        ? `Cannot use %{${name}} before all is final: only a log can`
        : `Cannot use %{${name}} in a request as only a response has it`,
    );
  }
  if (spec.named ? !TOKEN.test(argument) : colon !== -1) {
    throw new SyntaxError(
      spec.named
        ? `Cannot use %{${text}}: expected a name as in %{${name}:x-name}`
        : `Cannot use %{${text}}: expected %{${name}} without an argument`,
    );
  }
  return { spec, argument };
}

function isThere({ from }: VariableSpec, scope: Scope): boolean {
  return SCOPES.indexOf(from) <= SCOPES.indexOf(scope);
}

function variableNames(scope: Scope): string {
  return [...VARIABLES].filter(([, spec]) => isThere(spec, scope))
    .map(([name, { named }]) => named ? `${name}:NAME` : name)
    .join(", ");
}
