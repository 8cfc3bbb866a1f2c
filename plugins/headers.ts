/**
 * Sets, adds and removes fields of requests and responses.
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
 * ```
 *
 * Fields are removed, then set (in place of all of that name), then added
 * (besides others of that name). A value that turns out empty sets or adds
 * nothing: the field is not sent, and what a client sent under the name of a
 * field that is set goes in any case.
 *
 * Requests are changed at afterLocation, once the cluster is known; values that
 * tell the backend at sendRequestHeader, for each attempt. Responses are
 * changed at sendResponseHeader, all final ones, so that redirects and errors
 * carry the fields too.
 *
 * Values may hold variables: `%{client_address}`, `%{client_port}`, `%{host}`,
 * `%{method}`, `%{path}`, `%{query}`, `%{target}`, `%{scheme}`, `%{product}`,
 * `%{cluster}`, `%{backend}`, `%{session_id}`, `%{transaction_id}`,
 * `%{listener}`, `%{header:NAME}` and `%{cookie:NAME}` of the request,
 * `%{status}` in responses, `%{time_iso}`, `%{time_unix}` (seconds); `%%` is a
 * percent sign. One without a value is empty, as all of the request's are where
 * no request parsed.
 *
 * @module
 */
import { z } from "zod";
import type {
  Attempt,
  Clock,
  HeaderFields,
  HttpRequest,
  HttpResponse,
  Plugin,
} from "../core/plugin.ts";
import {
  compileTemplate,
  type Scope,
  type Template,
  templateProblem,
} from "./template.ts";

type Edit = "set" | "add" | "remove";

/** Fields that frame a message are Headrace's own on each side. */
const FRAMING = [
  "connection",
  "content-length",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** RFC 9110 §5.5: visible characters, and spaces and tabs between them; empty is refused for itself. */
const VALUE =
  /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;

function nameProblem(
  name: string,
  scope: Scope,
  edit: Edit,
): string | undefined {
  if (!TOKEN.test(name)) {
    return `Cannot use ${JSON.stringify(name)} as a field's name`;
  }
  const lower = name.toLowerCase();
  if (FRAMING.includes(lower)) {
    return `Cannot ${edit} ${name} as it frames the message`;
  }
  if (lower === "host" && scope === "request" && edit !== "set") {
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

function editsSchema(scope: Scope) {
  return z.strictObject({
    set: valuesSchema(scope, "set").default({})
      .describe("Values by name, each in place of all fields of that name"),
    add: valuesSchema(scope, "add").default({})
      .describe("Values by name, besides other fields of that name"),
    remove: z.array(
      z.string().superRefine((name, context) => {
        const message = nameProblem(name, scope, "remove");
        if (message !== undefined) context.addIssue(message);
      }),
    ).default([]).describe("Names of fields to remove"),
  }).prefault({});
}

const Options = z.strictObject({
  request: editsSchema("request").describe("Changes of requests"),
  response: editsSchema("response").describe("Changes of responses"),
}).prefault({});

type HeadersOptions = z.output<typeof Options>;
type Edits = HeadersOptions["request"];

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

export default {
  name: "headers",
  options: Options,
  setup({ options, clock }) {
    const onRequest = operations(options.request, "request", clock);
    const early = onRequest.filter((operation) => !operation.usesBackend);
    const late = onRequest.filter((operation) => operation.usesBackend);
    const onResponse = operations(options.response, "response", clock);
    return {
      // A point without a handler costs nothing.
      handlers: {
        ...early.length > 0 && {
          afterLocation(request: HttpRequest) {
            for (const operation of early) {
              operation.apply(request.headers, request);
            }
          },
        },
        ...late.length > 0 && {
          sendRequestHeader(request: HttpRequest, attempt: Attempt) {
            for (const operation of late) {
              operation.apply(request.headers, request, undefined, attempt);
            }
          },
        },
        ...onResponse.length > 0 && {
          sendResponseHeader(
            request: HttpRequest | undefined,
            response: HttpResponse,
          ) {
            for (const operation of onResponse) {
              operation.apply(response.headers, request, response);
            }
          },
        },
      },
    };
  },
} satisfies Plugin<HeadersOptions>;

/** The changes in the order in which they are made. */
function operations(edits: Edits, scope: Scope, clock: Clock): Operation[] {
  const compiled = (fields: Readonly<Record<string, string>>) =>
    Object.entries(fields).map(([name, text]) =>
      [name, compileTemplate(text, scope, clock)] as const
    );
  return [
    ...edits.remove.map(removeField),
    ...compiled(edits.set).map(([name, value]) => setField(name, value)),
    ...compiled(edits.add).map(([name, value]) => addField(name, value)),
  ];
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
