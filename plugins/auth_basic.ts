/**
 * Asks for a user and a password (RFC 7617).
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:auth-basic"
 *     options:
 *       realm: Staff
 *       users: ["alice:$apr1$lZL6V/ci$sQw6g73nRuoOIj/gnD18Z."]  # password: myPassword
 *       userHeader: X-Remote-User
 * ```
 *
 * Users stand in `users` or in a `file`, as Apache's `htpasswd` writes them:
 * bcrypt (`-B`), MD5 (`-m`) or SHA-1 (`-s`, whose hashes are quickly tried:
 * better not). The file is reread when it changes.
 *
 * Whether the user or the password is wrong shows neither in the answer nor in
 * its time: for an unknown user another one's hash is worked on. What was
 * verified is remembered for `cache`, in memory and only as a keyed hash, so that
 * a session of many requests pays for bcrypt once. Passwords are worked on one
 * at a time, with as long a pause after each, and at most `queue` wait, each for
 * 3 s: a flood of guesses gets 503 instead of all of the CPU. What was verified
 * later is known when it is asked again. bcrypt takes 72 bytes; longer passwords
 * are wrong.
 *
 * A request without a right answer gets one 401 with one challenge. The
 * Authorization field does not reach the backend unless `pass` is true;
 * `userHeader` tells it the name, and a client's own of that name is dropped.
 *
 * `headrace_plugin_auth_basic_requests_total{result}` counts `ok`, `cached`,
 * `missing`, `wrong` and `busy`.
 *
 * @module
 */
import { createHmac, randomBytes } from "node:crypto";
import { z } from "zod";
import type { HttpRequest, Plugin, PluginContext } from "../core/plugin.ts";
import { BoundedMap } from "./bounded_map.ts";
import { compileOption } from "./compile_option.ts";
import { duration } from "./duration.ts";
import { fieldName } from "./field_name.ts";
import { parseHtpasswd, type PasswordHash } from "./htpasswd.ts";
import { setOwnField } from "./own_field.ts";
import { watchFile } from "./watched_file.ts";

const Options = z.strictObject({
  realm: z.string().regex(/^[\x20-\x7e]*$/).default("Restricted").describe(
    "What browsers show and keep passwords by",
  ),
  when: z.string().optional().describe(
    "Which requests need a password; left out: all",
  ),
  users: z.array(z.string()).optional().describe("Lines user:hash"),
  file: z.string().min(1).optional().describe(
    "The file with such lines, relative to the working directory",
  ),
  userHeader: fieldName().optional().describe(
    "The field that tells the backend the user",
  ),
  pass: z.boolean().default(false).describe(
    "Whether the backend gets Authorization too",
  ),
  cache: duration().prefault("5m").describe(
    "How long a pair that was verified is remembered",
  ),
  cacheSize: z.int().min(0).max(1_000_000).default(1_000).describe(
    "How many pairs are remembered",
  ),
  queue: z.int().min(1).max(10_000).default(64).describe(
    "How many passwords may wait to be verified",
  ),
}).superRefine(({ users, file }, context) => {
  if ((users === undefined) === (file === undefined)) {
    context.addIssue("Expected either users or file");
  }
  if (users === undefined) return;
  try {
    parseHtpasswd(users.join("\n"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    context.addIssue({
      code: "custom",
      path: ["users"],
      message: error.message,
    });
  }
});

type AuthBasicOptions = z.output<typeof Options>;

/** A longer one is no password. */
const MAX_CREDENTIALS = 4_096;

/** So long a request waits for its password's turn, in milliseconds: less than a handler may take by default. */
const PATIENCE = 3_000;

type Users = ReadonlyMap<string, PasswordHash>;

export default {
  name: "auth-basic",
  options: Options,
  async setup(context) {
    const { options, verdict, metrics, condition } = context;
    const { when, userHeader, pass } = options;
    const requests = metrics.counter("requests_total", "Requests by result", [
      "result",
    ]);
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const verifier = new Verifier(context, await usersOf(context));
    const challenge = verdict.respond({
      status: 401,
      headers: {
        "www-authenticate": `Basic realm="${
          options.realm.replace(/["\\]/g, "\\$&")
        }", charset="UTF-8"`,
        "cache-control": "no-store",
      },
      body: "Unauthorized\n",
    });
    const busy = verdict.respond({
      status: 503,
      headers: { "retry-after": "1", "cache-control": "no-store" },
      body: "Too many passwords to verify\n",
    });
    const conclude = (
      result: Result,
      request: HttpRequest,
      user: string,
    ) => {
      requests.add(1, result);
      if (result === "wrong") return challenge;
      if (result === "busy") return busy;
      // A cache would know by what came alone, not by what a handler has made
      // of a cookie.
      request.authorized = true;
      if (!pass) request.headers.delete("authorization");
      if (userHeader !== undefined) {
        setOwnField(request.headers, userHeader, user);
      }
      return undefined;
    };
    return {
      handlers: {
        foundProduct(request) {
          if (applies?.(request) === false) {
            if (userHeader !== undefined) {
              setOwnField(request.headers, userHeader, undefined);
            }
            return undefined;
          }
          const credentials = readCredentials(request);
          if (credentials === undefined) {
            requests.add(1, "missing");
            return challenge;
          }
          const { user, password } = credentials;
          const result = verifier.verify(user, password);
          return typeof result === "string"
            ? conclude(result, request, user)
            : result.then((later) => conclude(later, request, user));
        },
      },
    };
  },
} satisfies Plugin<AuthBasicOptions>;

async function usersOf(
  context: PluginContext<AuthBasicOptions>,
): Promise<() => Users> {
  const { users, file } = context.options;
  if (file === undefined) {
    const parsed = parseHtpasswd((users ?? []).join("\n"));
    return () => parsed;
  }
  const watched = await watchFile(context, {
    path: file,
    parse: parseHtpasswd,
  });
  return () => watched.value;
}

/** Undefined for none, and for what can't be one. */
function readCredentials(
  { headers }: HttpRequest,
): { readonly user: string; readonly password: string } | undefined {
  const fields = headers.getAll("authorization");
  const [field = ""] = fields;
  const [, token] = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(field) ?? [];
  if (fields.length > 1 || token === undefined) return undefined;
  if (token.length > MAX_CREDENTIALS) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.from(atob(token), (char) => char.charCodeAt(0)),
    );
  } catch (error) {
    // No base64, or no UTF-8.
    if (error instanceof DOMException || error instanceof TypeError) {
      return undefined;
    }
    throw error;
  }
  const colon = text.indexOf(":");
  return colon < 0
    ? undefined
    : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

type Result = "ok" | "cached" | "wrong" | "busy";

/** Verifies passwords: quick ones at once, slow ones one after another. */
class Verifier {
  readonly #users: () => Users;
  readonly #clock: PluginContext<unknown>["clock"];
  readonly #signal: AbortSignal;
  readonly #queueSize: number;
  /** What was verified, by a keyed hash of all that it goes by. */
  readonly #known: BoundedMap<string, true>;
  readonly #key = randomBytes(32);
  /** Of those that are worked on: the same pair is worked on once. */
  readonly #pending = new Map<string, Promise<Result>>();
  #turn: Promise<void> = Promise.resolve();

  constructor(
    { options, clock, signal }: PluginContext<AuthBasicOptions>,
    users: () => Users,
  ) {
    this.#signal = signal;
    this.#users = users;
    this.#clock = clock;
    this.#queueSize = options.queue;
    this.#known = new BoundedMap({
      clock,
      size: options.cacheSize,
      time: options.cache,
    });
  }

  /** A promise only where it takes its time. */
  verify(user: string, password: string): Result | Promise<Result> {
    const users = this.#users();
    const own = users.get(user);
    const hash = own ?? this.#decoy(users, user);
    if (hash === undefined) return "wrong";
    const key = this.#keyOf(hash.text, user, password);
    if (own !== undefined && this.#known.get(key)) return "cached";
    const known = this.#pending.get(key);
    if (known !== undefined) return this.#inTime(known);
    const conclude = (right: boolean): Result => {
      if (!right || own === undefined) return "wrong";
      this.#known.set(key, true);
      return "ok";
    };
    if (!hash.slow) return conclude(hash.check(password) === true);
    if (this.#pending.size >= this.#queueSize) return "busy";
    const result = this.#inTurn(hash, password).then(conclude)
      .finally(() => this.#pending.delete(key));
    this.#pending.set(key, result);
    return this.#inTime(result);
  }

  /** The result, or that it takes too long. */
  async #inTime(result: Promise<Result>): Promise<Result> {
    const late = Promise.withResolvers<Result>();
    const cancel = this.#clock.after(PATIENCE, () => late.resolve("busy"));
    try {
      return await Promise.race([result, late.promise]);
    } finally {
      cancel();
    }
  }

  /** Behind each one others wait for as long as it took: half of the CPU is for traffic. */
  #inTurn(hash: PasswordHash, password: string): Promise<boolean> {
    let took = 0;
    const work = this.#turn.then(async () => {
      const started = performance.now();
      try {
        return await hash.check(password);
      } finally {
        took = Math.ceil(performance.now() - started);
      }
    });
    const pause = () => this.#pause(took);
    this.#turn = work.then(pause, pause);
    return work;
  }

  #pause(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(milliseconds, () => {
      this.#signal.removeEventListener("abort", end);
      resolve();
    });
    const end = () => {
      cancel();
      resolve();
    };
    if (this.#signal.aborted) end();
    else this.#signal.addEventListener("abort", end);
    return promise;
  }

  /** Somebody's hash, always the same for a name: an unknown user takes as long as a known one. */
  #decoy(users: Users, name: string): PasswordHash | undefined {
    const hashes = [...users.values()];
    const number = createHmac("sha256", this.#key).update(name).digest()
      .readUInt32BE();
    return hashes[number % hashes.length];
  }

  #keyOf(...parts: readonly string[]): string {
    return createHmac("sha256", this.#key).update(JSON.stringify(parts))
      .digest("base64");
  }
}
