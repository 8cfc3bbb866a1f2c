/**
 * Asks another service whether a request may come in.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: auth
 *     hosts: [auth.internal]
 *     rules:
 *       - { when: 'req_header_value_in("Cookie", "session=good", false)', respond: { status: 204 } }
 *       - { respond: { status: 401, body: "log in\n" } }
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:auth-request"
 *     products: [site]
 *     options:
 *       url: http://auth.internal/check
 *       userHeaders: [X-User]
 *       cache: { key: "%{header:cookie}", time: 10s }
 * ```
 *
 * The question goes through the proxy itself, by a listener (`listener`, by
 * default the request's own), to the product and cluster that serve the URL's
 * host: so it is balanced, checked and counted like all requests. It is a GET
 * without a body and has the request's fields, all or those in `pass`, but for
 * what belongs to a message of its own, and X-Original-Method, -URI, -Host,
 * -Scheme and -Address. X-Forwarded-For names the client alone. No cache answers
 * it: Cache-Control says so.
 *
 * A 2xx lets the request in: fields of the answer that `userHeaders` names are
 * told to the backend, where a client's own of these names never get through,
 * those in `clientHeaders` are added to the response. 401, 403 and redirects are
 * passed on to the client. Everything else, no answer in `timeout` too, is 503:
 * who can't be asked about does not come in.
 *
 * The cache stores what comes back to who was let in only where the response
 * allows it, as for requests with Authorization (RFC 9111 §3.5).
 *
 * With `cache` a 2xx is remembered by its key, a text with the variables of
 * `builtin:headers` that must tell apart whatever the service does; an empty one
 * is not remembered.
 *
 * `headrace_plugin_auth_request_requests_total{result}` counts `allowed`,
 * `cached`, `denied` and `failed`.
 *
 * @module
 */
import { z } from "zod";
import type { HttpRequest, Plugin, PluginContext } from "../core/plugin.ts";
import { BoundedMap } from "./bounded_map.ts";
import { compileOption } from "./compile_option.ts";
import { duration } from "./duration.ts";
import { fieldName } from "./field_name.ts";
import { fieldText, plainName, setOwnField } from "./own_field.ts";
import { compileTemplate, templateProblem } from "./template.ts";

const NAME = z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/);

const Options = z.strictObject({
  url: z.url({ protocol: /^http$/ }).describe(
    "What is asked, by a host of this proxy's products",
  ),
  listener: z.string().optional().describe("The http listener to ask by"),
  when: z.string().optional().describe(
    "Which requests are asked about; left out: all",
  ),
  pass: z.union([z.literal("all"), z.array(NAME)]).default("all").describe(
    "Fields of the request that the service gets",
  ),
  userHeaders: z.array(fieldName()).default([]).describe(
    "Fields of its answer that the backend gets",
  ),
  clientHeaders: z.array(fieldName()).default([]).describe(
    "Fields of its answer that the client gets",
  ),
  timeout: duration().prefault("3s").describe(
    "How long an answer may take; keep it below the plugin's own timeout",
  ),
  cache: z.strictObject({
    key: z.string().min(1).superRefine((text, context) => {
      const message = templateProblem(text, "request");
      if (message !== undefined) context.addIssue(message);
    }).describe("What an answer depends on, with variables"),
    time: duration().describe("How long a 2xx is remembered"),
    size: z.int().min(1).max(1_000_000).default(1_000).describe(
      "How many are remembered",
    ),
  }).optional(),
});

type AuthRequestOptions = z.output<typeof Options>;

/** What a 2xx said. */
interface Allowed {
  readonly user: readonly (readonly [string, string | undefined])[];
  readonly client: readonly (readonly [string, string])[];
}

/** An answer that the client gets. */
interface Denied {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** Answers that are meant for the client. */
const PASSED_ON = [301, 302, 303, 307, 308, 401, 403];

/** Fields, by their plain names, that belong to the request's own message, and not to a question about it. */
const NOT_PASSED =
  /^(?:host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|range|if-.*|cache-control|pragma|x-forwarded-for|x-original-.*)$/;

/** Fields of an answer that the client gets with its status. */
const NOT_ANSWERED = /^(?:content-length|transfer-encoding|connection|via)$/i;

/** Bytes of a refusal that are passed on. */
const MAX_BODY = 64 << 10;

/** Tells own questions from others: only a request of this process can have it. */
const MARK = "x-headrace-auth-request";

export default {
  name: "auth-request",
  options: Options,
  setup(context) {
    const { options, verdict, metrics, condition, log } = context;
    const { when, userHeaders } = options;
    const requests = metrics.counter("requests_total", "Requests by result", [
      "result",
    ]);
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const secret = crypto.randomUUID();
    const ask = asker(context, secret);
    const { cache } = options;
    const key = cache && compileTemplate(cache.key, "request", context);
    const known = cache && new BoundedMap<string, Allowed>({
      clock: context.clock,
      size: cache.size,
      time: cache.time,
    });
    const allow = (request: HttpRequest, { user, client }: Allowed) => {
      request.authorized = true;
      for (const [name, value] of user) {
        setOwnField(request.headers, name, value);
      }
      if (client.length === 0) return undefined;
      request.transaction.on("sendResponseHeader", (_request, { headers }) => {
        for (const [name, value] of client) headers.append(name, value);
      });
      return undefined;
    };
    const unavailable = verdict.respond({
      status: 503,
      headers: { "cache-control": "no-store" },
      body: "Nobody can say whether this is allowed\n",
    });
    const askAndConclude = async (request: HttpRequest, cacheKey: string) => {
      let answer: Allowed | Denied;
      try {
        answer = await ask(request);
      } catch (error) {
        requests.add(1, "failed");
        log.warn("The service that allows requests did not answer", {
          transaction: request.id,
          error,
        });
        return unavailable;
      }
      if ("status" in answer) {
        requests.add(1, "denied");
        const { status, headers, body } = answer;
        return verdict.respond({ status, headers, body });
      }
      requests.add(1, "allowed");
      if (cacheKey !== "") known?.set(cacheKey, answer);
      return allow(request, answer);
    };
    return {
      handlers: {
        foundProduct(request) {
          const { headers, session } = request;
          if (session.internal && headers.get(MARK) === secret) {
            headers.delete(MARK);
            return undefined;
          }
          if (applies?.(request) === false) {
            for (const name of userHeaders) {
              setOwnField(headers, name, undefined);
            }
            return undefined;
          }
          const cacheKey = key?.render(request) ?? "";
          const remembered = known?.get(cacheKey);
          if (remembered !== undefined) {
            requests.add(1, "cached");
            return allow(request, remembered);
          }
          return askAndConclude(request, cacheKey);
        },
      },
    };
  },
} satisfies Plugin<AuthRequestOptions>;

/** Asks about a request. Rejects where there is no usable answer in time. */
function asker(
  { options, clock, request: send }: PluginContext<AuthRequestOptions>,
  secret: string,
): (request: HttpRequest) => Promise<Allowed | Denied> {
  const { url, listener, timeout, userHeaders, clientHeaders } = options;
  return async (request) => {
    const controller = new AbortController();
    const cancel = clock.after(
      timeout,
      () => controller.abort(new Error(`No answer within ${timeout} ms`)),
    );
    const { signal } = request;
    const leave = () => controller.abort(signal.reason);
    signal.addEventListener("abort", leave);
    try {
      const response = await send(url, {
        headers: questionFields(request, options, secret),
        listener: listener ?? request.session.listener,
        signal: controller.signal,
      });
      const { status, headers } = response;
      if (response.ok) {
        await response.body?.cancel();
        return {
          user: userHeaders.map((name) =>
            [name, headers.get(name) ?? undefined] as const
          ),
          client: clientHeaders.flatMap((name) => valuesOf(headers, name)),
        };
      }
      if (!PASSED_ON.includes(status)) {
        await response.body?.cancel();
        throw new Error(`It answered ${status}`);
      }
      return {
        status,
        headers: [...headers].filter(([name]) => !NOT_ANSWERED.test(name)),
        body: await readBody(response),
      };
    } finally {
      cancel();
      signal.removeEventListener("abort", leave);
    }
  };
}

function questionFields(
  request: HttpRequest,
  { pass }: AuthRequestOptions,
  secret: string,
): Headers {
  const names = pass === "all"
    ? undefined
    : new Set(pass.map((name) => name.toLowerCase()));
  const fields = new Headers();
  for (const [name, value] of request.headers) {
    if (NOT_PASSED.test(plainName(name))) continue;
    if (names?.has(name.toLowerCase()) === false) continue;
    fields.append(name, value);
  }
  // The proxy's own cache tells requests apart by URLs: nobody comes in by what
  // was said of another.
  fields.set("cache-control", "no-cache, no-store");
  // A listener that trusts this host's own proxies would believe whatever the
  // client wrote there.
  if (request.clientAddress !== "") {
    fields.set("x-forwarded-for", request.clientAddress);
  }
  fields.set("x-original-method", request.method);
  fields.set("x-original-uri", request.target);
  fields.set("x-original-host", fieldText(request.host));
  fields.set("x-original-scheme", request.scheme);
  fields.set("x-original-address", request.clientAddress);
  fields.set(MARK, secret);
  return fields;
}

/** Set-Cookie's values can't be joined. */
function valuesOf(
  headers: Headers,
  name: string,
): (readonly [string, string])[] {
  if (name.toLowerCase() === "set-cookie") {
    return headers.getSetCookie().map((value) => [name, value] as const);
  }
  const value = headers.get(name);
  return value === null ? [] : [[name, value]];
}

/** Rejects for one that is too long. */
async function readBody({ body }: Response): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_BODY) {
      throw new Error(`Its refusal has more than ${MAX_BODY} bytes`);
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
