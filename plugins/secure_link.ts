/**
 * Lets requests in by links that are signed and expire.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:secure-link"
 *     options:
 *       when: 'req_path_prefix_in("/files/", false)'
 *       secrets: ["a secret that only the maker of links knows"]
 * ```
 *
 * A link is the target with two parameters more, in any place of its query:
 * `expires`, the second of the epoch when it ends, and `signature`, the
 * HMAC-SHA-256 of these lines, in base64url without padding:
 *
 * ```text
 * GET              the method; HEAD is let in by a link for GET
 * 1767225600       expires
 * /files/a%20b     the path, escapes as they are
 * a=1&b=2          the rest of the query in its order; an empty line for none
 * ```
 *
 * and one line more for each of `bind`, a text with the variables of
 * `builtin:headers`, such as `%{client_address}` or `%{cookie:session}`. In
 * a shell:
 *
 * ```sh
 * printf 'GET\n1767225600\n/files/a%%20b\n' | openssl dgst -sha256 -hmac "$SECRET" -binary | basenc --base64url | tr -d =
 * ```
 *
 * Where there are several `secrets` all are tried, so that one can be replaced
 * while links of the old one live on. The parameters are taken away before the
 * backend sees them. Without a valid signature the answer is 403, with one that
 * has expired 410. Comparing takes the same time whatever was guessed.
 *
 * `headrace_plugin_secure_link_links_total{result}` counts `valid`, `expired`,
 * `invalid` and `missing` ones.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Plugin } from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import { compileTemplate, templateProblem } from "./template.ts";

const Options = z.strictObject({
  when: z.string().optional().describe(
    "Which requests need a link; left out: all",
  ),
  secrets: z.array(z.string().min(16)).min(1).describe(
    "What links are signed with",
  ),
  bind: z.array(
    z.string().superRefine((text, context) => {
      const message = templateProblem(text, "request");
      if (message !== undefined) context.addIssue(message);
    }),
  ).default([]).describe("What else is signed, with variables"),
  expires: z.string().regex(/^[\w-]+$/).default("expires").describe(
    "The parameter that tells the end",
  ),
  signature: z.string().regex(/^[\w-]+$/).default("signature").describe(
    "The parameter that holds the signature",
  ),
});

type SecureLinkOptions = z.output<typeof Options>;

export default {
  name: "secure-link",
  options: Options,
  setup(context) {
    const { options, verdict, metrics, clock, condition } = context;
    const { when, secrets } = options;
    const links = metrics.counter("links_total", "Requests by their link", [
      "result",
    ]);
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const bind = options.bind.map((text) =>
      compileTemplate(text, "request", context)
    );
    const refuse = (result: string, status: number, body: string) => {
      links.add(1, result);
      return verdict.respond({
        status,
        headers: { "cache-control": "no-store" },
        body,
      });
    };
    return {
      handlers: {
        foundProduct(request) {
          if (applies?.(request) === false) return;
          const link = readLink(request.query, options);
          if (link === undefined) {
            return refuse("missing", 403, "This link is not complete\n");
          }
          const text = [
            request.method === "HEAD" ? "GET" : request.method,
            link.expires,
            request.path,
            link.rest,
            ...bind.map((template) => template.render(request)),
          ].join("\n");
          if (!isSigned(text, link.signature, secrets)) {
            return refuse("invalid", 403, "This link is not valid\n");
          }
          if (Number(link.expires) * 1000 <= clock.wall()) {
            return refuse("expired", 410, "This link has expired\n");
          }
          links.add(1, "valid");
          request.query = link.rest;
          return undefined;
        },
      },
    };
  },
} satisfies Plugin<SecureLinkOptions>;

interface Link {
  readonly expires: string;
  readonly signature: string;
  /** The query without both. */
  readonly rest: string;
}

/** Undefined where a parameter is missing, twice there or no such thing. */
function readLink(
  query: string,
  names: Pick<SecureLinkOptions, "expires" | "signature">,
): Link | undefined {
  const expires: string[] = [];
  const signature: string[] = [];
  const rest: string[] = [];
  for (const parameter of query.split("&")) {
    const equals = parameter.indexOf("=");
    const name = parameter.slice(0, Math.max(equals, 0));
    const value = parameter.slice(equals + 1);
    if (name === names.expires) expires.push(value);
    else if (name === names.signature) signature.push(value);
    else rest.push(parameter);
  }
  const [end = "", ...otherEnds] = expires;
  const [signed = "", ...otherSigned] = signature;
  if (otherEnds.length + otherSigned.length > 0) return undefined;
  if (!/^\d{1,12}$/.test(end) || signed === "") return undefined;
  return { expires: end, signature: signed, rest: rest.join("&") };
}

/** Tries all secrets, whichever fits. */
function isSigned(
  text: string,
  signature: string,
  secrets: readonly string[],
): boolean {
  const given = Buffer.from(signature, "base64url");
  let signed = false;
  for (const secret of secrets) {
    const expected = createHmac("sha256", secret).update(text, "latin1")
      .digest();
    // The length of a signature is no secret.
    const same = given.length === expected.length &&
      timingSafeEqual(given, expected);
    signed = same || signed;
  }
  return signed;
}
