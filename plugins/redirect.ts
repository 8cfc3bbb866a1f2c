/**
 * Redirects requests by condition: to another scheme, host, path or query.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:redirect"
 *     options:
 *       rules:
 *         - { pathReplace: { pattern: "^/blog/(\\d+)$", with: "/posts/$1" }, status: 308 }
 *         - { when: 'req_path_in("/docs", false)', host: docs.example.com, scheme: https, path: "/" }
 *         - { when: 'req_path_prefix_in("/out/", false)', to: "https://example.org/%{query}" }
 * ```
 *
 * The first rule that matches answers, before a rule of the product is looked
 * for. `to` is a whole URL or path; the other keys change parts of what was
 * asked for. One that leads to where the client is already does nothing, so that
 * no rule loops. `path`, `query`, `querySet` and `to` may hold the variables of
 * `builtin:headers`.
 *
 * No redirect is open: a host is the config's own, or the one that was asked
 * for, or one that `hostReplace` makes of that and `allowHosts` lists; a path
 * begins with exactly one slash, whatever the client put behind it.
 *
 * `headrace_plugin_redirect_redirects_total{status}` counts them.
 *
 * @module
 */
import { z } from "zod";
import type { HttpRequest, Plugin, PluginContext } from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import {
  compileTargetEdit,
  TARGET_EDITS,
  type TargetEditOptions,
} from "./target_edit.ts";
import { compileTemplate, type ValueSource } from "./template.ts";

const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;

const STATUSES = [301, 302, 303, 307, 308] as const;

const Rule = z.strictObject({
  when: z.string().optional().describe(
    "A condition of the rule language; left out: always",
  ),
  status: z.literal(STATUSES).default(302).describe(
    "308 and 307 keep the method, 301 and 308 may be remembered for good",
  ),
  to: z.string().optional().describe(
    "The whole URL, or a path with its query, with variables behind the host",
  ),
  scheme: z.enum(["http", "https"]).optional(),
  host: z.string().regex(HOST, "Expected a host without a port").optional(),
  hostReplace: z.strictObject({
    pattern: z.string().min(1),
    with: z.string(),
  }).optional().describe(
    "As pathReplace, for the host that was asked for; needs allowHosts",
  ),
  allowHosts: z.array(z.string().regex(/^(\*\.)?[A-Za-z0-9.-]+$/)).optional()
    .describe(
      "Which hosts hostReplace may lead to; *.example.com for a suffix",
    ),
  port: z.int().min(1).max(65_535).optional(),
  ...TARGET_EDITS,
}).superRefine((rule, context) => {
  const { to, when: _when, status: _status, ...parts } = rule;
  const named = Object.keys(parts);
  if (to === undefined ? named.length === 0 : named.length > 0) {
    context.addIssue(
      to === undefined
        ? "Expected where to redirect to: to, or scheme, host, path …"
        : `Cannot use ${named[0]} beside to, which is the whole URL`,
    );
  }
  if ((rule.hostReplace === undefined) !== (rule.allowHosts === undefined)) {
    context.addIssue(
      "Expected hostReplace and allowHosts together: what a client's Host leads to must be listed",
    );
  }
  if (rule.hostReplace !== undefined && rule.host !== undefined) {
    context.addIssue("Cannot use host beside hostReplace");
  }
  if (to !== undefined && !isSafeTarget(to)) {
    context.addIssue({
      code: "custom",
      path: ["to"],
      message:
        "Expected an http or https URL with a host without variables, followed by /, or a path that begins with one slash",
    });
  }
});

const Options = z.strictObject({
  rules: z.array(Rule).min(1).describe("The first that matches answers"),
});

type RedirectOptions = z.output<typeof Options>;
type RedirectRule = RedirectOptions["rules"][number];

/** Whether no variable can change the host that it leads to. */
function isSafeTarget(to: string): boolean {
  return /^\/(?![/\\]|%\{)/.test(to) || to === "/" ||
    /^https?:\/\/[A-Za-z0-9.-]+(:\d+)?([/?]|$|%\{(path|target)\})/.test(to) ||
    /^https?:\/\/\[[0-9A-Fa-f:.]+\](:\d+)?([/?]|$)/.test(to);
}

/** The Location for a request; undefined where the rule is not for it. */
type Redirection = (request: HttpRequest) => string | undefined;

export default {
  name: "redirect",
  options: Options,
  setup(context) {
    const { options, verdict, metrics, condition } = context;
    const redirects = metrics.counter("redirects_total", "Redirects sent", [
      "status",
    ]);
    const rules = options.rules.map((rule, i) => {
      const { when, status } = rule;
      return {
        status,
        when: when === undefined
          ? undefined
          : compileOption(`rules[${i}].when`, () => condition(when)),
        locate: rule.to === undefined
          ? byParts(rule, context, `rules[${i}]`)
          : toUrl(rule.to, context, `rules[${i}]`),
      };
    });
    return {
      handlers: {
        foundProduct(request) {
          for (const { when, status, locate } of rules) {
            if (when?.(request) === false) continue;
            const location = locate(request);
            if (location === undefined) continue;
            redirects.add(1, String(status));
            return verdict.redirect(location, status);
          }
          return undefined;
        },
      },
    };
  },
} satisfies Plugin<RedirectOptions>;

function toUrl(
  to: string,
  context: PluginContext<unknown>,
  at: string,
): Redirection {
  const template = compileOption(
    `${at}.to`,
    () => compileTemplate(to, "request", context, urlPart),
  );
  return (request) => {
    // `*` is no path to put behind a host.
    if (request.target === "*") return undefined;
    const url = template.render(request);
    const here = url.startsWith("/") ? request.target : absolute(request, {});
    return url === here ? undefined : url;
  };
}

function urlPart(value: string, source: ValueSource): string {
  return source === "target" ? value : encodeURIComponent(value.toWellFormed());
}

function byParts(
  rule: RedirectRule,
  context: PluginContext<unknown>,
  at: string,
): Redirection {
  const { scheme, port } = rule;
  const edit = compileTargetEdit(rule as TargetEditOptions, context, at);
  const hostOf = compileHost(rule, context, at);
  const staysHere = scheme === undefined && port === undefined &&
    rule.host === undefined && rule.hostReplace === undefined;
  return (request) => {
    const target = edit(request);
    const host = hostOf(request);
    if (target === undefined || host === undefined) return undefined;
    const path = target.query === ""
      ? target.path
      : `${target.path}?${target.query}`;
    if (staysHere) return path === request.target ? undefined : path;
    if (host === "") return undefined;
    const url = absolute(request, { scheme, host, port, path });
    return url === absolute(request, {}) ? undefined : url;
  };
}

/** The host to go to; undefined where the rule is not for this one. */
function compileHost(
  { host, hostReplace, allowHosts = [] }: RedirectRule,
  { pattern }: PluginContext<unknown>,
  at: string,
): (request: HttpRequest) => string | undefined {
  if (hostReplace === undefined) return (request) => host ?? request.host;
  const { test, replace } = compileOption(`${at}.hostReplace`, () => {
    const compiled = pattern(hostReplace.pattern);
    return {
      test: (text: string) => compiled.test(text),
      replace: compiled.replacer(hostReplace.with),
    };
  });
  return (request) => {
    if (!test(request.host)) return undefined;
    const made = replace(request.host).toLowerCase();
    return allowHosts.some((allowed) => isHost(made, allowed.toLowerCase()))
      ? made
      : undefined;
  };
}

function isHost(host: string, allowed: string): boolean {
  return allowed.startsWith("*.")
    ? host.endsWith(allowed.slice(1)) && HOST.test(host)
    : host === allowed;
}

interface Parts {
  readonly scheme?: "http" | "https" | undefined;
  readonly host?: string;
  readonly port?: number | undefined;
  readonly path?: string;
}

/** The URL that was asked for, some of its parts others. Another scheme or host brings its own default port. */
function absolute(request: HttpRequest, parts: Parts): string {
  const scheme = parts.scheme ?? request.scheme;
  const host = parts.host ?? request.host;
  const moved = scheme !== request.scheme || host !== request.host;
  const port = parts.port ?? (moved ? undefined : request.port);
  const shown = port === undefined || port === (scheme === "https" ? 443 : 80)
    ? ""
    : `:${port}`;
  const name = host.includes(":") ? `[${host}]` : host;
  return `${scheme}://${name}${shown}${parts.path ?? request.target}`;
}
