/**
 * Renames, removes, replaces, sets and adds fields of requests and responses.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:headers"
 *     options:
 *       request:
 *         remove: [X-Debug]
 *         set: { X-Real-IP: "%{client_address}", X-Backend: "%{backend}" }
 *       response:
 *         remove: [X-Powered-By]
 *         set: { Strict-Transport-Security: max-age=31536000 }
 *         add: { X-Request-Id: "%{transaction_id}" }
 *       rules:
 *         - when: 'req_path_prefix_in("/static/", false) && res_code_in("200")'
 *           response: { set: { Cache-Control: "public, max-age=3600" } }
 * ```
 *
 * Fields are renamed, then removed, then replaced by pattern (`$1` is a group),
 * then set (in place of all of that name), then added (besides others of that
 * name); first those of `request` and `response`, then those of each of the
 * `rules` whose condition holds. A value that turns out empty sets or adds
 * nothing: the field is not sent, and what a client sent under the name of a
 * field that is set goes in any case. What makes no Host is never sent in its
 * place: the request is answered 500.
 *
 * Names are taken by the letter: with X-Real-IP set, a client's own `X_Real_IP`
 * stays, which backends with variables in place of fields (CGI, WSGI) take for
 * the same. Where yours is such a one, `remove` those spellings, too.
 *
 * Requests are changed at afterLocation, once the cluster is known; values that
 * tell the backend at sendRequestHeader, for each attempt. Responses are
 * changed at sendResponseHeader, all final ones, so that redirects and errors
 * carry the fields too; a rule is not for those whose request never parsed.
 *
 * Values may hold variables, `%%` is a percent sign. Of the client:
 * `%{client_address}`, `%{client_network}` (of IPv6 the first 64 bits),
 * `%{client_port}`, `%{peer_address}`, `%{local_address}`, `%{local_port}`, `%{listener}`, `%{session_id}`. Of its TLS: `%{tls_sni}`,
 * `%{tls_version}`, `%{tls_cipher}`, `%{tls_alpn}`, `%{tls_client_subject}`,
 * `%{tls_client_issuer}`, `%{tls_client_serial}`, `%{tls_client_fingerprint}`.
 * Of the request: `%{method}`, `%{scheme}`, `%{host}`, `%{port}`, `%{path}`,
 * `%{query}`, `%{target}`, `%{protocol}`, `%{transaction_id}`, `%{request_id}`
 * (of `builtin:request-id`), `%{header:NAME}`, `%{cookie:NAME}`,
 * `%{parameter:NAME}`, `%{tag:NAME}`. Of its way: `%{product}`, `%{cluster}`,
 * `%{subcluster}`, `%{backend}`, `%{backend_address}`, `%{attempt}`. Of time:
 * `%{time_iso}`, `%{time_http}`, `%{time_unix}` (seconds), `%{time_unix_ms}`,
 * `%{start_iso}`, `%{duration_ms}`. In responses `%{status}` and
 * `%{response_header:NAME}`. One without a value is empty, as all of the
 * request's are where no request parsed.
 *
 * `headrace_plugin_headers_changes_total{message}` counts requests and responses
 * that had changes.
 *
 * @module
 */
import { z } from "zod";
import type {
  Attempt,
  HeaderFields,
  HttpRequest,
  HttpResponse,
  Plugin,
  PluginContext,
} from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import { isFieldName, isFraming } from "./field_name.ts";
import {
  compileTemplate,
  type Scope,
  type Template,
  templateProblem,
} from "./template.ts";

type Edit = "set" | "add" | "remove" | "rename" | "replace";

/** RFC 9110 §5.5: visible characters, and spaces and tabs between them; empty is refused for itself. */
const VALUE =
  /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;

/** The same for a part of one. */
const PRINTABLE = /^[\t\x20-\x7e\x80-\xff]*$/;

function nameProblem(
  name: string,
  scope: Scope,
  edit: Edit,
): string | undefined {
  if (!isFieldName(name)) {
    return `Cannot use ${JSON.stringify(name)} as a field's name`;
  }
  if (isFraming(name)) {
    return `Cannot ${edit} ${name} as it frames the message`;
  }
  const isSet = edit === "set" || edit === "replace";
  if (name.toLowerCase() === "host" && scope === "request" && !isSet) {
    return `Cannot ${edit} ${name} as a request has exactly one: use set`;
  }
  return undefined;
}

function valueProblem(value: string, scope: Scope): string | undefined {
  if (value === "") return "Cannot use an empty value: use remove";
  if (!VALUE.test(value)) {
    return `Cannot use ${JSON.stringify(value)} as a field's value`;
  }
  return templateProblem(value, scope);
}

function valuesSchema(scope: Scope, edit: "set" | "add") {
  return z.record(z.string(), z.string()).superRefine((fields, context) => {
    for (const [name, value] of Object.entries(fields)) {
      const message = nameProblem(name, scope, edit) ??
        valueProblem(value, scope);
      if (message !== undefined) {
        context.addIssue({ code: "custom", path: [name], message });
      }
    }
  });
}

const Replacement = z.strictObject({
  pattern: z.string().min(1).describe("A regular expression in RE2's syntax"),
  with: z.string().regex(PRINTABLE, "Expected what a field may hold").describe(
    "What stands in place of all matches: $1 is a group, $0 the match, $$ a dollar sign",
  ),
});

/** Field names that may be edited so. */
function nameSchema(scope: Scope, edit: Edit) {
  return z.string().superRefine((name, context) => {
    const message = nameProblem(name, scope, edit);
    if (message !== undefined) context.addIssue(message);
  });
}

/** The same for a record's keys, with a message of their own. */
function checkNames(scope: Scope, edit: Edit) {
  return (
    fields: Readonly<Record<string, unknown>>,
    context: z.RefinementCtx,
  ) => {
    for (const name of Object.keys(fields)) {
      const message = nameProblem(name, scope, edit);
      if (message !== undefined) {
        context.addIssue({ code: "custom", path: [name], message });
      }
    }
  };
}

function editsSchema(scope: Scope) {
  return z.strictObject({
    rename: z.record(z.string(), nameSchema(scope, "rename"))
      .superRefine(checkNames(scope, "rename")).default({}).describe(
        "New names of fields by their old ones",
      ),
    remove: z.array(nameSchema(scope, "remove")).default([])
      .describe("Names of fields to remove"),
    replace: z.record(z.string(), Replacement)
      .superRefine(checkNames(scope, "replace")).default({})
      .describe("Patterns by name, for each value of that name"),
    set: valuesSchema(scope, "set").default({})
      .describe("Values by name, each in place of all fields of that name"),
    add: valuesSchema(scope, "add").default({})
      .describe("Values by name, besides other fields of that name"),
  }).prefault({});
}

const SIDES = {
  request: editsSchema("request").describe("Changes of requests"),
  response: editsSchema("response").describe("Changes of responses"),
};

const Options = z.strictObject({
  ...SIDES,
  rules: z.array(z.strictObject({
    when: z.string().describe(
      "A condition of the rule language; that of a rule without changes of requests may ask for the response",
    ),
    ...SIDES,
  })).default([]).describe("Further changes, each where its condition holds"),
}).prefault({});

type HeadersOptions = z.output<typeof Options>;
type Edits = HeadersOptions["request"];
type Context = PluginContext<HeadersOptions>;

/** One change of a message's fields. */
interface Operation {
  readonly usesBackend: boolean;
  apply(
    headers: HeaderFields,
    request: HttpRequest | undefined,
    response?: HttpResponse,
    attempt?: Attempt,
  ): void;
}

/** Changes and when they are made. */
interface Rule<Test> {
  /** Undefined for always. */
  readonly when: Test | undefined;
  readonly operations: readonly Operation[];
}

type RequestRule = Rule<(request: HttpRequest) => boolean>;
type ResponseRule = Rule<
  (request: HttpRequest, response: HttpResponse) => boolean
>;

export default {
  name: "headers",
  options: Options,
  setup(context) {
    const { options, metrics } = context;
    const changes = metrics.counter("changes_total", "Messages with changes", [
      "message",
    ]);
    const onRequest = requestRules(options, context);
    const early = only(onRequest, (operation) => !operation.usesBackend);
    const late = only(onRequest, (operation) => operation.usesBackend);
    const onResponse = responseRules(options, context);
    return {
      // A point without a handler costs nothing.
      handlers: {
        ...early.length > 0 && {
          afterLocation(request: HttpRequest) {
            let changed = false;
            for (const { when, operations } of early) {
              if (when?.(request) === false) continue;
              changed = true;
              for (const operation of operations) {
                operation.apply(request.headers, request);
              }
            }
            if (changed) changes.add(1, "request");
          },
        },
        ...late.length > 0 && {
          sendRequestHeader(request: HttpRequest, attempt: Attempt) {
            for (const { when, operations } of late) {
              if (when?.(request) === false) continue;
              for (const operation of operations) {
                operation.apply(request.headers, request, undefined, attempt);
              }
            }
          },
        },
        ...onResponse.length > 0 && {
          sendResponseHeader(
            request: HttpRequest | undefined,
            response: HttpResponse,
          ) {
            let changed = false;
            for (const { when, operations } of onResponse) {
              if (!holds(when, request, response)) continue;
              changed = true;
              for (const operation of operations) {
                operation.apply(response.headers, request, response);
              }
            }
            if (changed) changes.add(1, "response");
          },
        },
      },
    };
  },
} satisfies Plugin<HeadersOptions>;

function holds(
  when: ResponseRule["when"],
  request: HttpRequest | undefined,
  response: HttpResponse,
): boolean {
  if (when === undefined) return true;
  return request !== undefined && when(request, response);
}

function only(
  rules: readonly RequestRule[],
  wanted: (operation: Operation) => boolean,
): RequestRule[] {
  return rules.map(({ when, operations }) => ({
    when,
    operations: operations.filter(wanted),
  })).filter(({ operations }) => operations.length > 0);
}

function requestRules(
  { request, rules }: HeadersOptions,
  context: Context,
): RequestRule[] {
  const all = [
    { when: undefined, operations: operations(request, "request", context) },
    ...rules.map(({ when, request }, i) => {
      const made = operations(request, "request", context, `rules[${i}].`);
      return {
        // One that changes no request may ask for what only a response has.
        when: made.length === 0 ? undefined : compileOption(
          `rules[${i}].when`,
          () => context.condition(when),
        ),
        operations: made,
      };
    }),
  ];
  return all.filter(({ operations }) => operations.length > 0);
}

function responseRules(
  { response, rules }: HeadersOptions,
  context: Context,
): ResponseRule[] {
  const all = [
    { when: undefined, operations: operations(response, "response", context) },
    ...rules.map(({ when, response }, i) => ({
      when: compileOption(
        `rules[${i}].when`,
        () => context.responseCondition(when),
      ),
      operations: operations(response, "response", context, `rules[${i}].`),
    })),
  ];
  return all.filter(({ operations }) => operations.length > 0);
}

/** The changes in the order in which they are made. */
function operations(
  edits: Edits,
  scope: Scope,
  context: Context,
  at = "",
): Operation[] {
  const compiled = (fields: Readonly<Record<string, string>>) =>
    Object.entries(fields).map(([name, text]) =>
      [name, compileTemplate(text, scope, context)] as const
    );
  return [
    ...Object.entries(edits.rename).map(([from, to]) => renameField(from, to)),
    ...edits.remove.map(removeField),
    ...Object.entries(edits.replace).map(([name, { pattern, with: text }]) =>
      replaceField(
        name,
        compileOption(
          `${at}${scope}.replace.${name}`,
          () => context.pattern(pattern).replacer(text),
        ),
      )
    ),
    ...compiled(edits.set).map(([name, value]) => setField(name, value)),
    ...compiled(edits.add).map(([name, value]) => addField(name, value)),
  ];
}

function renameField(from: string, to: string): Operation {
  return {
    usesBackend: false,
    apply(headers) {
      const values = headers.getAll(from);
      if (values.length === 0) return;
      headers.delete(from);
      for (const value of values) headers.append(to, value);
    },
  };
}

function replaceField(
  name: string,
  replace: (value: string) => string,
): Operation {
  return {
    usesBackend: false,
    apply(headers) {
      const values = headers.getAll(name);
      const replaced = values.map((value) => replace(value).trim());
      if (replaced.every((value, i) => value === values[i])) return;
      const [only] = replaced;
      if (replaced.length === 1 && only) {
        headers.set(name, only);
        return;
      }
      headers.delete(name);
      for (const value of replaced) {
        if (value !== "") headers.append(name, value);
      }
    },
  };
}

function removeField(name: string): Operation {
  return { usesBackend: false, apply: (headers) => headers.delete(name) };
}

function setField(name: string, template: Template): Operation {
  return {
    usesBackend: template.usesBackend,
    apply(headers, ...views) {
      const value = template.render(...views);
      if (value === "") headers.delete(name);
      else headers.set(name, value);
    },
  };
}

function addField(name: string, template: Template): Operation {
  return {
    usesBackend: template.usesBackend,
    apply(headers, ...views) {
      const value = template.render(...views);
      if (value !== "") headers.append(name, value);
    },
  };
}
