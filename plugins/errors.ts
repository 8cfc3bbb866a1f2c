/**
 * Puts pages of your own in place of error responses.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ when: 'req_path_in("/", false)', respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:errors"
 *     options:
 *       pages:
 *         - { statuses: ["404"], type: text/html, body: "<h1>Not here</h1><p>%{transaction_id}</p>\n" }
 *         - { statuses: ["400-599"], type: application/json, body: '{"status":%{status},"id":"%{transaction_id}"}' }
 * ```
 *
 * Of the pages for a status (and product, and condition) the client gets the
 * one of the type that it accepts most, the first of the config where it likes
 * several as much; where it takes none of them, the response stays. A page is a
 * `body` or a `file`, which is reread when it changes; both may hold the
 * variables of `builtin:headers`, escaped for HTML and JSON by the page's type.
 *
 * Headrace's own errors and other plugins' are replaced, a backend's only where
 * `from` lists `backend`, out of the cache too: what an application says stays as
 * it is. Fields of the response stay but those that tell of its body. A request
 * that never parsed gets the plain response.
 *
 * `headrace_plugin_errors_pages_total{status}` counts pages sent.
 *
 * @module
 */
import { z } from "zod";
import type {
  HttpRequest,
  HttpResponse,
  Plugin,
  PluginContext,
} from "../core/plugin.ts";
import { preferredType } from "./accept_type.ts";
import { compileOption } from "./compile_option.ts";
import {
  compileTemplate,
  type Template,
  templateProblem,
  type ValueEncoder,
} from "./template.ts";
import { watchFile } from "./watched_file.ts";

const RANGE = /^([45]\d\d)(?:-([45]\d\d))?$/;

const Page = z.strictObject({
  statuses: z.array(
    z.string().regex(RANGE, "Expected an error status, or a range 400-499"),
  ).min(1).describe("Statuses that it is for"),
  products: z.array(z.string()).optional().describe(
    "Only for requests of these products",
  ),
  when: z.string().optional().describe(
    "Only where this condition holds, which may ask for the response",
  ),
  type: z.string().regex(/^[\w.+-]+\/[\w.+-]+$/).toLowerCase()
    .default("text/html")
    .describe("Its media type; text is UTF-8"),
  body: z.string().optional().describe("The page, with variables"),
  file: z.string().min(1).optional().describe("The file that holds the page"),
  status: z.int().min(400).max(599).optional().describe(
    "The status to send instead",
  ),
}).superRefine(({ body, file }, context) => {
  if ((body === undefined) === (file === undefined)) {
    context.addIssue("Expected either body or file");
  }
  if (body === undefined) return;
  const message = templateProblem(body, "response");
  if (message !== undefined) {
    context.addIssue({ code: "custom", path: ["body"], message });
  }
});

const Options = z.strictObject({
  from: z.array(z.enum(["proxy", "handler", "backend"])).default([
    "proxy",
    "handler",
  ]).describe("Whose responses are replaced"),
  pages: z.array(Page).min(1),
});

type ErrorsOptions = z.output<typeof Options>;
type PageOptions = ErrorsOptions["pages"][number];

/** A page that can be sent. */
interface ErrorPage {
  readonly type: string;
  readonly status: number | undefined;
  readonly text: () => Template;
  fits(request: HttpRequest, response: HttpResponse): boolean;
}

/** Fields that tell of the body that is replaced. */
const OF_THE_BODY =
  /^(?:content-(?!security-policy).*|etag|last-modified|accept-ranges|digest|repr-digest|vary)$/i;

export default {
  name: "errors",
  options: Options,
  async setup(context) {
    const { options, verdict, metrics } = context;
    const sent = metrics.counter("pages_total", "Pages sent", ["status"]);
    const pages = await Promise.all(
      options.pages.map((page, i) => makePage(page, context, `pages[${i}]`)),
    );
    const replaced = new Set<string>(options.from);
    // What a cache holds a backend has said.
    if (replaced.has("backend")) replaced.add("cache");
    return {
      handlers: {
        readResponse(request, response) {
          if (request === undefined || response.status < 400) return;
          if (!replaced.has(response.from)) return;
          const fitting = pages.filter((page) => page.fits(request, response));
          if (fitting.length === 0) return;
          const type = preferredType(
            request.headers.get("accept"),
            fitting.map(({ type }) => type),
          );
          const page = fitting.find((page) => page.type === type);
          if (page === undefined) return;
          const status = page.status ?? response.status;
          sent.add(1, String(status));
          return verdict.respond({
            status,
            headers: [
              ...[...response.headers].filter(([name]) =>
                !OF_THE_BODY.test(name)
              ),
              ["content-type", withCharset(page.type)],
              ["vary", varyOf(response)],
            ],
            body: page.text().render(request, response),
          });
        },
      },
    };
  },
} satisfies Plugin<ErrorsOptions>;

async function makePage(
  { statuses, products, when, type, body, file, status }: PageOptions,
  context: PluginContext<unknown>,
  at: string,
): Promise<ErrorPage> {
  const condition = when === undefined
    ? undefined
    : compileOption(`${at}.when`, () => context.responseCondition(when));
  const ranges = statuses.map((text) => {
    const [, from, to = from] = RANGE.exec(text)!;
    return [Number(from), Number(to)] as const;
  });
  const compile = (text: string) =>
    compileTemplate(text, "response", context, encoderOf(type));
  return {
    type,
    status,
    text: await textOf(body, file, context, compile),
    fits: (request, response) =>
      ranges.some(([from, to]) =>
        response.status >= from && response.status <= to
      ) &&
      (products?.includes(request.product ?? "") ?? true) &&
      (condition?.(request, response) ?? true),
  };
}

async function textOf(
  body: string | undefined,
  file: string | undefined,
  context: PluginContext<unknown>,
  compile: (text: string) => Template,
): Promise<() => Template> {
  if (file === undefined) {
    const template = compile(body ?? "");
    return () => template;
  }
  const watched = await watchFile(context, { path: file, parse: compile });
  return () => watched.value;
}

/** Escapes what a client may have chosen, so that no page runs its scripts. */
function encoderOf(type: string): ValueEncoder {
  if (/^(?:text\/html|.*[/+]xml)$/.test(type)) return escapeHtml;
  if (/^application\/(?:.*\+)?json$/.test(type)) {
    return (value) => JSON.stringify(value).slice(1, -1);
  }
  return (value) => value;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(value: string): string {
  return value.replace(/[&<>"']/g, (char) => ENTITIES[char]!);
}

function withCharset(type: string): string {
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}

function varyOf({ headers }: HttpResponse): string {
  const vary = headers.get("vary");
  if (vary === null) return "Accept";
  return /(?:^|,)\s*(?:accept|\*)\s*(?:,|$)/i.test(vary)
    ? vary
    : `${vary}, Accept`;
}
