/**
 * Lets requests in by JSON Web Tokens (RFC 7519, RFC 8725).
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: api
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:auth-jwt"
 *     options:
 *       keys: { secret: "0123456789abcdef0123456789abcdef" }
 *       algorithms: [HS256]
 *       issuer: https://issuer.example
 *       audience: api
 *       claimHeaders: { sub: X-User, scope: X-Scope }
 * ```
 *
 * `keys` is one of: `url`, a JWK set that is fetched, kept for `maxAge`, and
 * fetched anew, at most every `coolDown`, where a token names a key that is not
 * in it; `file`, a JWK set that is reread when it changes; `secret`, for HMAC.
 *
 * `algorithms` lists what tokens may be signed with: of one kind, so that nobody
 * can sign with a public key as if it were a secret, and never `none`. `issuer`
 * and `audience` must match where they are given, `exp` and `nbf` are always
 * checked, with `clockSkew`; tokens without `exp` are refused unless
 * `requireExpiry` is false.
 *
 * The token comes in Authorization (`Bearer`), or by `from` in a field, a cookie
 * or a query parameter, and goes no further unless `pass` is true.
 * `claimHeaders` tells claims to the backend: texts, numbers and booleans as
 * they are, lists joined by a comma, the rest as JSON; a client's own fields of
 * these names are dropped. Claims are also tags `jwt.NAME` with `claimTags`, for
 * conditions: `req_tag_match` takes the claim `admin:x` for `admin`, too.
 *
 * A cache stores what comes back only where the response allows it, as for
 * requests with Authorization (RFC 9111 §3.5), wherever the token was.
 *
 * Without a valid token the answer is 401 with a challenge by RFC 6750; 503
 * where keys can't be had.
 *
 * `headrace_plugin_auth_jwt_requests_total{result}` counts `ok`, `missing`,
 * `invalid`, `expired` and `no_keys`.
 *
 * @module
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import { z } from "zod";
import type { HttpRequest, Plugin, PluginContext } from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import { duration } from "./duration.ts";
import { fieldName } from "./field_name.ts";
import { setOwnField } from "./own_field.ts";
import { watchFile } from "./watched_file.ts";

const HMAC = ["HS256", "HS384", "HS512"] as const;
const PUBLIC = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;

const Options = z.strictObject({
  when: z.string().optional().describe(
    "Which requests need a token; left out: all",
  ),
  realm: z.string().regex(/^[\x20-\x7e]*$/).default("api"),
  keys: z.strictObject({
    url: z.url({ protocol: /^https?$/ }).optional().describe(
      "Where the JWK set is fetched",
    ),
    file: z.string().min(1).optional().describe("The file that holds it"),
    secret: z.string().min(32).optional().describe(
      "The secret of HMAC algorithms, at least as long as the hash (RFC 7518 §3.2)",
    ),
    maxAge: duration().prefault("10m").describe(
      "How long a fetched set is used",
    ),
    coolDown: duration().prefault("30s").describe(
      "Least time between two fetches for keys that are not known",
    ),
  }).superRefine(({ url, file, secret }, context) => {
    const given = [url, file, secret].filter((each) => each !== undefined);
    if (given.length !== 1) {
      context.addIssue("Expected exactly one of url, file and secret");
    }
  }),
  algorithms: z.array(z.enum([...HMAC, ...PUBLIC])).min(1).describe(
    "What tokens may be signed with",
  ),
  issuer: z.union([z.string(), z.array(z.string()).min(1)]).optional()
    .describe("Who may have made it (iss)"),
  audience: z.union([z.string(), z.array(z.string()).min(1)]).optional()
    .describe("Whom it must be for (aud), one of them"),
  clockSkew: duration("0ms").prefault("30s").describe(
    "How far clocks may differ",
  ),
  requireExpiry: z.boolean().default(true).describe(
    "Whether tokens without exp are refused",
  ),
  requiredClaims: z.array(z.string()).default([]).describe(
    "Claims that must be there",
  ),
  from: z.strictObject({
    header: fieldName().optional(),
    cookie: z.string().min(1).optional(),
    query: z.string().min(1).optional(),
  }).refine(
    (from) => Object.keys(from).length === 1,
    "Expected one of header, cookie and query",
  ).optional().describe("Where the token is, if not in Authorization"),
  pass: z.boolean().default(false).describe(
    "Whether the backend gets the token too",
  ),
  claimHeaders: z.record(z.string(), fieldName()).default({}).describe(
    "Fields that tell the backend claims, by the claim's name",
  ),
  claimTags: z.array(z.string()).default([]).describe(
    "Claims that become tags jwt.NAME",
  ),
}).superRefine(({ keys, algorithms }, context) => {
  const hmac = algorithms.filter((each) => each.startsWith("HS"));
  const wanted = keys.secret === undefined ? 0 : algorithms.length;
  if (hmac.length !== wanted) {
    context.addIssue({
      code: "custom",
      path: ["algorithms"],
      message: keys.secret === undefined
        ? `Cannot use ${
          hmac[0]
        } with public keys: whoever knows them could sign`
        : "Expected only HS256, HS384, HS512 with a secret",
    });
  }
  const { secret } = keys;
  if (secret === undefined) return;
  const bytes = new TextEncoder().encode(secret).length;
  const short = hmac.find((each) => bytes < Number(each.slice(2)) / 8);
  if (short !== undefined) {
    context.addIssue({
      code: "custom",
      path: ["keys", "secret"],
      message: `Expected at least ${
        Number(short.slice(2)) / 8
      } bytes for ${short}: found ${bytes}`,
    });
  }
});

type AuthJwtOptions = z.output<typeof Options>;

type Result = "ok" | "missing" | "invalid" | "expired" | "no_keys";

/** Longer ones are no tokens. */
const MAX_TOKEN = 16_384;

export default {
  name: "auth-jwt",
  options: Options,
  async setup(context) {
    const { options, verdict, metrics, condition } = context;
    const { when, realm, claimHeaders, claimTags } = options;
    const requests = metrics.counter("requests_total", "Requests by result", [
      "result",
    ]);
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const verify = await tokenVerifier(context);
    const headers = Object.entries(claimHeaders);
    const refuse = (result: Result) => {
      requests.add(1, result);
      if (result === "no_keys") {
        return verdict.respond({
          status: 503,
          headers: { "cache-control": "no-store" },
          body: "The keys for tokens can't be had\n",
        });
      }
      const quoted = realm.replace(/["\\]/g, "\\$&");
      // RFC 6750 §3.1: who brings no token is told of no error.
      const error = result === "missing" ? "" : `, error="invalid_token"`;
      return verdict.respond({
        status: 401,
        headers: {
          "www-authenticate": `Bearer realm="${quoted}"${error}`,
          "cache-control": "no-store",
        },
        body: "Unauthorized\n",
      });
    };
    const accept = (request: HttpRequest, payload: JWTPayload) => {
      requests.add(1, "ok");
      // A cache would know by Authorization alone.
      request.authorized = true;
      for (const [claim, name] of headers) {
        setOwnField(request.headers, name, claimText(payload[claim]));
      }
      for (const claim of claimTags) {
        const value = payload[claim];
        if (value === undefined || value === null) continue;
        request.tags.set(
          `jwt.${claim}`,
          [value].flat().map((each) => claimText(each) ?? ""),
        );
      }
    };
    return {
      handlers: {
        async foundProduct(request) {
          // What a client says of itself never passes for what a token says.
          for (const [, name] of headers) {
            setOwnField(request.headers, name, undefined);
          }
          if (applies?.(request) === false) return undefined;
          const token = takeToken(request, options);
          if (token === undefined) return refuse("missing");
          const verified = await verify(token);
          if (typeof verified === "string") return refuse(verified);
          accept(request, verified);
          return undefined;
        },
      },
    };
  },
} satisfies Plugin<AuthJwtOptions>;

/** The token, taken off the request unless it is to pass. */
function takeToken(
  request: HttpRequest,
  { from, pass }: AuthJwtOptions,
): string | undefined {
  const { headers } = request;
  if (from?.cookie !== undefined) {
    const token = request.cookie(from.cookie);
    if (!pass && token !== undefined) dropCookie(request, from.cookie);
    return sized(token);
  }
  if (from?.query !== undefined) {
    const token = request.parameter(from.query);
    if (!pass && token !== undefined) dropParameter(request, from.query);
    return sized(token);
  }
  const name = from?.header ?? "authorization";
  const fields = headers.getAll(name);
  if (fields.length !== 1) return undefined;
  const bearer = /^bearer +(\S+) *$/i.exec(fields[0]!)?.[1];
  const token = from?.header === undefined ? bearer : bearer ?? fields[0];
  if (!pass && token !== undefined) headers.delete(name);
  return sized(token);
}

function sized(token: string | undefined): string | undefined {
  return token !== undefined && token.length <= MAX_TOKEN ? token : undefined;
}

function dropCookie({ headers }: HttpRequest, name: string): void {
  const rest = headers.getAll("cookie").flatMap((field) => field.split(";"))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "" && pair.split("=")[0]!.trim() !== name);
  if (rest.length === 0) headers.delete("cookie");
  else headers.set("cookie", rest.join("; "));
}

function dropParameter(request: HttpRequest, name: string): void {
  request.query = request.query.split("&")
    .filter((parameter) => !new URLSearchParams(parameter).has(name))
    .join("&");
}

/** Undefined for a claim that is not there. */
function claimText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object") return String(value);
  const flat = Array.isArray(value) &&
    value.every((each) => typeof each !== "object");
  return flat ? value.join(",") : JSON.stringify(value);
}

/** Checks a token: its claims, or why it is none. */
async function tokenVerifier(
  context: PluginContext<AuthJwtOptions>,
): Promise<(token: string) => Promise<JWTPayload | Result>> {
  const { options, clock, log } = context;
  const keys = await keySource(context);
  const required = options.requireExpiry
    ? [...options.requiredClaims, "exp"]
    : options.requiredClaims;
  const checks: JWTVerifyOptions = {
    algorithms: options.algorithms,
    clockTolerance: options.clockSkew / 1_000,
    requiredClaims: required,
    ...options.issuer !== undefined && { issuer: options.issuer },
    ...options.audience !== undefined && { audience: options.audience },
  };
  return async (token) => {
    try {
      const verified = await jwtVerify(token, keys, {
        ...checks,
        currentDate: new Date(clock.wall()),
      });
      return verified.payload;
    } catch (thrown) {
      if (thrown instanceof errors.JWTExpired) return "expired";
      if (isNoKeys(thrown)) {
        log.error("The keys for tokens can't be had", {
          reason: thrown instanceof Error ? thrown.message : String(thrown),
        });
        return "no_keys";
      }
      return "invalid";
    }
  };
}

/** Whether the keys are to blame, not the token. */
function isNoKeys(thrown: unknown): boolean {
  return thrown instanceof NoKeysError ||
    thrown instanceof errors.JWKSInvalid ||
    thrown instanceof errors.JWKSTimeout;
}

/** A set that could not be fetched. */
class NoKeysError extends Error {
  override readonly name = "NoKeysError";
}

/** Where a token's key is looked for. */
async function keySource(
  context: PluginContext<AuthJwtOptions>,
): Promise<JWTVerifyGetKey> {
  const { url, file, secret, maxAge, coolDown } = context.options.keys;
  if (secret !== undefined) {
    const key = new TextEncoder().encode(secret);
    return () => key;
  }
  if (file !== undefined) {
    const watched = await watchFile(context, {
      path: file,
      parse: (text) => createLocalJWKSet(JSON.parse(text) as JSONWebKeySet),
    });
    return (header, token) => watched.value(header, token);
  }
  return createRemoteJWKSet(new URL(url!), {
    cacheMaxAge: maxAge,
    cooldownDuration: coolDown,
    timeoutDuration: FETCH_TIMEOUT,
    [customFetch]: fetchKeys,
  });
}

/** A fetch of keys may take so long, in milliseconds. */
const FETCH_TIMEOUT = 3_000;

const MAX_KEYS_BYTES = 1 << 20;

async function fetchKeys(
  url: string,
  init: RequestInit,
): Promise<Response> {
  try {
    const response = await fetch(url, init);
    const body = new Uint8Array(await response.arrayBuffer());
    if (response.status !== 200) {
      throw new Error(`it answers ${response.status}`);
    }
    if (body.length > MAX_KEYS_BYTES) {
      throw new Error(`it has more than ${MAX_KEYS_BYTES} bytes`);
    }
    return new Response(body, { status: 200 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NoKeysError(`Cannot fetch ${url}: ${reason}`, { cause });
  }
}
