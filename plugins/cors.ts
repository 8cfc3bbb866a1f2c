/**
 * Cross-origin requests by the Fetch standard: preflights are answered, actual
 * responses get their fields.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: api
 *     default: true
 *     rules: [{ respond: { status: 200, body: "{}\n" } }]
 * plugins:
 *   - use: "builtin:cors"
 *     options:
 *       origins: ["https://app.example.com", "https://*.dev.example.com"]
 *       credentials: true
 *       methods: [GET, POST, PUT, DELETE]
 *       headers: [Content-Type, Authorization]
 *       expose: [X-Request-Id]
 *       maxAge: 600
 * ```
 *
 * `origins` are exact, or have `*.` for one or more labels before a suffix, or
 * are `*` for all; `patterns` are regular expressions that have to match a whole
 * origin. `null`, which any sandboxed page has, must be listed by name. What the
 * standard forbids beside `credentials` is refused: `*` for origins, methods,
 * headers or exposed fields, and `null`.
 *
 * A preflight (OPTIONS with Origin and Access-Control-Request-Method) is
 * answered 204, without the fields for an origin that is not allowed, so that
 * the browser refuses it. Responses lose the fields of a backend's own CORS: two
 * of them break it. `Vary: Origin` is there wherever the origin decides.
 *
 * `headrace_plugin_cors_requests_total{kind,result}` counts `preflight` and
 * `actual` requests with an origin that was `allowed` or `refused`.
 *
 * @module
 */
import { z } from "zod";
import type {
  HeaderFields,
  HttpRequest,
  Plugin,
  PluginContext,
} from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** As browsers serialise it, with an optional wildcard for labels. */
const ORIGIN =
  /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::\d{1,5})?$/;

const Options = z.strictObject({
  when: z.string().optional().describe(
    "Only for requests of which this condition holds; left out: all",
  ),
  origins: z.array(
    z.string().transform((origin) => origin.toLowerCase()).refine(
      (origin) => origin === "*" || origin === "null" || ORIGIN.test(origin),
      "Expected an origin such as https://a.example, https://*.example:8443, null or *",
    ),
  ).default([]).describe("Origins that are allowed"),
  patterns: z.array(z.string().min(1)).default([]).describe(
    "Regular expressions in RE2's syntax for whole origins",
  ),
  credentials: z.boolean().default(false).describe(
    "Cookies, Authorization and client certificates are allowed",
  ),
  methods: z.array(z.string().regex(TOKEN)).default(["GET", "HEAD", "POST"])
    .describe("Methods that a preflight allows; * for all"),
  headers: z.array(z.string().regex(TOKEN)).default([]).describe(
    "Request fields that a preflight allows; * for all but Authorization",
  ),
  expose: z.array(z.string().regex(TOKEN)).default([]).describe(
    "Response fields that scripts may read; * for all",
  ),
  maxAge: z.int().min(0).optional().describe(
    "Seconds that browsers may keep a preflight's answer",
  ),
}).superRefine((options, context) => {
  const { origins, patterns, credentials } = options;
  if (origins.length + patterns.length === 0) {
    context.addIssue("Expected origins or patterns");
  }
  if (!credentials) return;
  for (const key of ["origins", "methods", "headers", "expose"] as const) {
    if (!options[key].includes("*")) continue;
    context.addIssue({
      code: "custom",
      path: [key],
      message:
        "Cannot use * with credentials: list them (Fetch standard, CORS protocol and credentials)",
    });
  }
  if (origins.includes("null")) {
    context.addIssue({
      code: "custom",
      path: ["origins"],
      message: "Cannot use null with credentials: any sandboxed page has it",
    });
  }
});

type CorsOptions = z.output<typeof Options>;

/** What is known of a request from foundProduct on. */
interface Judged {
  readonly preflight: boolean;
  readonly origin: string | null;
  readonly allowed: boolean;
}

const JUDGED = Symbol("cors");

/** Fields of a backend's own. */
const FIELDS = [
  "allow-origin",
  "allow-credentials",
  "expose-headers",
  "allow-methods",
  "allow-headers",
  "max-age",
].map((name) => `access-control-${name}`);

export default {
  name: "cors",
  options: Options,
  setup(context) {
    const { options, verdict, metrics, condition } = context;
    const requests = metrics.counter("requests_total", "Requests by origin", [
      "kind",
      "result",
    ]);
    const { when } = options;
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const allows = compileOrigins(context);
    const anyOrigin = options.origins.includes("*");
    const judge = (request: HttpRequest): Judged => {
      const origin = request.headers.get("origin");
      const preflight = origin !== null && request.method === "OPTIONS" &&
        request.headers.has("access-control-request-method");
      const allowed = origin !== null && allows(origin);
      if (origin !== null) {
        requests.add(
          1,
          preflight ? "preflight" : "actual",
          allowed ? "allowed" : "refused",
        );
      }
      return { preflight, origin, allowed };
    };
    const originFields = ({ origin }: Judged): [string, string][] => [
      ["access-control-allow-origin", anyOrigin ? "*" : origin!],
      ...options.credentials
        ? [["access-control-allow-credentials", "true"] as [string, string]]
        : [],
    ];
    return {
      handlers: {
        foundProduct(request) {
          if (applies?.(request) === false) return;
          const judged = judge(request);
          request.transaction.data.set(JUDGED, judged);
          if (!judged.preflight) return;
          return verdict.respond({
            status: 204,
            headers: [
              [
                "vary",
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
              ],
              ...judged.allowed
                ? [...originFields(judged), ...preflightFields(options)]
                : [],
            ],
          });
        },
        sendResponseHeader(request, { headers }) {
          const judged = request?.transaction.data.get(JUDGED) as
            | Judged
            | undefined;
          if (judged === undefined || judged.preflight) return;
          for (const name of FIELDS) headers.delete(name);
          // Without an origin too: a cache may give this response to who has one.
          if (!anyOrigin) addVary(headers);
          if (!judged.allowed) return;
          for (const [name, value] of originFields(judged)) {
            headers.set(name, value);
          }
          if (options.expose.length > 0) {
            headers.set(
              "access-control-expose-headers",
              options.expose.join(", "),
            );
          }
        },
      },
    };
  },
} satisfies Plugin<CorsOptions>;

function preflightFields(
  { methods, headers, maxAge }: CorsOptions,
): [string, string][] {
  const fields: [string, string][] = [
    ["access-control-allow-methods", methods.join(", ")],
  ];
  if (headers.length > 0) {
    fields.push(["access-control-allow-headers", headers.join(", ")]);
  }
  if (maxAge !== undefined) {
    fields.push(["access-control-max-age", String(maxAge)]);
  }
  return fields;
}

/** Whether an origin is allowed. */
function compileOrigins(
  { options, pattern }: PluginContext<CorsOptions>,
): (origin: string) => boolean {
  const exact = new Set(options.origins.filter((each) => !each.includes("*.")));
  const suffixes = options.origins.filter((each) => each.includes("*."))
    .map((origin) => {
      const [scheme = "", suffix = ""] = origin.split("*");
      return { scheme, suffix };
    });
  const patterns = options.patterns.map((source, i) =>
    compileOption(`patterns[${i}]`, () => pattern(`^(?:${source})$`))
  );
  if (exact.has("*")) return () => true;
  return (origin) =>
    exact.has(origin) ||
    suffixes.some(({ scheme, suffix }) =>
      origin.startsWith(scheme) && origin.endsWith(suffix) &&
      // What lies between are labels: no other host's end, no user, no port.
      /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(
        origin.slice(scheme.length, origin.length - suffix.length),
      )
    ) ||
    (origin !== "null" && patterns.some((pattern) => pattern.test(origin)));
}

function addVary(headers: HeaderFields): void {
  const vary = headers.get("vary");
  if (vary === null) headers.set("vary", "Origin");
  else if (!/(?:^|,)\s*(?:origin|\*)\s*(?:,|$)/i.test(vary)) {
    headers.append("vary", "Origin");
  }
}
