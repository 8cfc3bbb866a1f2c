/**
 * Sends copies of a share of requests to another cluster, whose answers nobody
 * gets.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - { name: site, default: true, rules: [{ respond: { status: 200, body: "hello\n" } }] }
 * clusters:
 *   - { name: next-version, backends: [{ url: "http://127.0.0.1:9001" }] }
 * plugins:
 *   - use: "builtin:mirror"
 *     order: -100
 *     options: { cluster: next-version, share: 0.5 }
 * ```
 *
 * A copy is a request of its own through the same listener: what the plugins
 * and rules make of a request they make of it too, so that what is refused does
 * not come through as a copy; only its cluster is the given one, and
 * `headrace_plugin_` counts and logs tell it besides the original. Give the
 * plugin a low `order`, so that the copy is of what the client sent. It carries
 * `X-Mirrored: 1`.
 *
 * The original never waits for its copy and never fails with it. A body is
 * copied as it passes, and sent once the original's is complete; requests whose
 * body has more than `maxBody` are not copied, nor upgrades and those without a
 * Host. At most `concurrent` copies are under way, each for `timeout`.
 *
 * `headrace_plugin_mirror_copies_total{result}` counts `sent` (answered, whatever
 * it was), `failed`, `too_large` and `busy`.
 *
 * @module
 */
import { z } from "zod";
import type { HttpRequest, Plugin, PluginContext } from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import { duration } from "./duration.ts";
import { size } from "./size.ts";

const Options = z.strictObject({
  cluster: z.string().min(1).describe("Where copies go"),
  share: z.number().min(0).max(1).default(1).describe(
    "The share of requests that is copied, chosen at random",
  ),
  when: z.string().optional().describe(
    "Which requests are copied; left out: all",
  ),
  maxBody: size().prefault("64KiB").describe(
    "Bytes of a body that is copied at most",
  ),
  concurrent: z.int().min(1).max(1_000).default(100).describe(
    "Copies that are under way at most",
  ),
  timeout: duration().prefault("10s").describe("How long a copy may take"),
});

type MirrorOptions = z.output<typeof Options>;

/**
 * Tells copies from others, as only a request of this process can have its
 * secret, and what the original's target was: a URL has neither `..` nor all of
 * the signs that a target may hold.
 */
const MARK = "x-headrace-mirror";

/** Fields that frame the original's message. */
const NOT_COPIED =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|te|trailer|expect|x-mirrored)$/i;

export default {
  name: "mirror",
  options: Options,
  setup(context) {
    const { options, condition } = context;
    const { when, share, cluster } = options;
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const secret = crypto.randomUUID();
    const copies = new Copies(context, secret);
    return {
      handlers: {
        foundProduct(request) {
          const { headers, session } = request;
          if (session.internal) {
            const [given, target] = headers.get(MARK)?.split(" ") ?? [];
            if (given === secret && target !== undefined) {
              headers.delete(MARK);
              request.target = target;
              request.cluster = cluster;
            }
            return;
          }
          if (share < 1 && Math.random() >= share) return;
          if (headers.has("upgrade") || request.host === "") return;
          if (applies?.(request) === false) return;
          copies.make(request);
        },
      },
      close: () => copies.settled(),
    };
  },
} satisfies Plugin<MirrorOptions>;

/** What a copy is made of: texts, as the original is gone by then. */
interface Copy {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly listener: string;
}

/** The copies that are under way. */
class Copies {
  readonly #context: PluginContext<MirrorOptions>;
  readonly #secret: string;
  readonly #count: (result: string) => void;
  readonly #open = new Set<Promise<void>>();

  constructor(context: PluginContext<MirrorOptions>, secret: string) {
    this.#context = context;
    this.#secret = secret;
    const copies = context.metrics.counter("copies_total", "Copies by result", [
      "result",
    ]);
    this.#count = (result) => copies.add(1, result);
  }

  /** Makes one now or, where there is a body, once that is complete. */
  make(request: HttpRequest): void {
    const { maxBody } = this.#context.options;
    const { present, length } = request.body;
    const copy = this.#copyOf(request);
    if (!present) {
      this.#send(copy, undefined);
      return;
    }
    if (length !== undefined && length > maxBody) {
      this.#count("too_large");
      return;
    }
    let done = false;
    const conclude = (body: Uint8Array<ArrayBuffer> | undefined) => {
      // A body that is sent again to another backend is copied once.
      if (done) return;
      done = true;
      if (body === undefined) this.#count("too_large");
      else this.#send(copy, body);
    };
    request.transaction.transformRequest(
      () => tee(maxBody, conclude),
      length === undefined ? {} : { length },
    );
  }

  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }

  #copyOf(request: HttpRequest): Copy {
    const headers = new Headers();
    for (const [name, value] of request.headers) {
      if (!NOT_COPIED.test(name)) headers.append(name, value);
    }
    headers.set("x-mirrored", "1");
    headers.set(MARK, `${this.#secret} ${request.target}`);
    const target = request.target === "*" ? "/" : request.target;
    return {
      url: `http://${request.headers.get("host")}${target}`,
      method: request.method,
      headers,
      listener: request.session.listener,
    };
  }

  #send(copy: Copy, body: Uint8Array<ArrayBuffer> | undefined): void {
    if (this.#open.size >= this.#context.options.concurrent) {
      this.#count("busy");
      return;
    }
    const sending = this.#exchange(copy, body);
    this.#open.add(sending);
    sending.then(() => this.#open.delete(sending));
  }

  /** Never rejects: nobody waits for it. */
  async #exchange(
    { url, method, headers, listener }: Copy,
    body: Uint8Array<ArrayBuffer> | undefined,
  ): Promise<void> {
    const { request, clock, signal, options, log } = this.#context;
    const controller = new AbortController();
    const end = () => controller.abort(new Error("The copy is given up"));
    const cancel = clock.after(options.timeout, end);
    if (signal.aborted) end();
    signal.addEventListener("abort", end);
    try {
      const response = await request(url, {
        method,
        headers,
        listener,
        signal: controller.signal,
        ...body !== undefined && { body },
      });
      for await (const _chunk of response.body ?? []) { /* nobody wants it */ }
      this.#count("sent");
    } catch (error) {
      this.#count("failed");
      log.debug("A copy could not be sent", { error });
    } finally {
      cancel();
      signal.removeEventListener("abort", end);
    }
  }
}

/** Passes all through and tells at the end what it was; undefined, at once, where it is longer than `limit`. */
function tee(
  limit: number,
  conclude: (body: Uint8Array<ArrayBuffer> | undefined) => void,
): TransformStream<Uint8Array, Uint8Array> {
  let chunks: Uint8Array[] = [];
  let length = 0;
  return new TransformStream({
    transform(chunk, controller) {
      length += chunk.length;
      if (length <= limit) chunks.push(chunk.slice());
      else if (chunks.length > 0) {
        chunks = [];
        conclude(undefined);
      }
      controller.enqueue(chunk);
    },
    flush() {
      if (length > limit) {
        conclude(undefined);
        return;
      }
      const body = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks) {
        body.set(chunk, at);
        at += chunk.length;
      }
      conclude(body);
    },
  });
}
