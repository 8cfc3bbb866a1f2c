/**
 * Compresses responses for clients that want it: zstd (where the runtime has
 * it), br or gzip.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - use: "builtin:compress"
 *     options:
 *       codings: [br, gzip]
 *       minBytes: 1024
 * ```
 *
 * Only what gains by it: types in `types`, bodies of at least `minBytes` or of
 * unknown length, whole ones (no 206), not coded already, and not where either
 * side says `no-transform`. `Vary: Accept-Encoding` is added to each response
 * that could have been compressed, and a strong ETag becomes a weak one, in a
 * 304 without Content-Type where If-None-Match names the weak one. Server-sent
 * events are flushed piece by piece.
 *
 * A secret beside what an attacker can choose is betrayed by the length of the
 * compressed whole (BREACH). So over https a response is left alone where the
 * request has Cookie or Authorization and the response is not `public`, unless
 * `credentialed` says otherwise.
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
import { preferredCoding } from "./accept_encoding.ts";
import { mediaType, mediaTypes, typeMatcher } from "./content_type.ts";
import { availableCodings, CODINGS, compression } from "./compression.ts";

/** What mostly is text. */
const TYPES = [
  "text/*",
  "application/javascript",
  "application/json",
  "application/ld+json",
  "application/manifest+json",
  "application/rss+xml",
  "application/atom+xml",
  "application/xml",
  "application/xhtml+xml",
  "application/wasm",
  "image/svg+xml",
];

const options = z.strictObject({
  codings: z.array(z.enum(CODINGS)).min(1).default(["zstd", "br", "gzip"])
    .describe(
      "Codings in the order of preference where a client likes several as much.",
    ),
  minBytes: z.int().min(0).default(1024)
    .describe("Shorter bodies of known length stay as they are."),
  types: mediaTypes().default(TYPES)
    .describe("Media types; `text/*` stands for all of a kind."),
  level: z.strictObject({
    gzip: z.int().min(1).max(9).default(5),
    br: z.int().min(0).max(11).default(4),
    zstd: z.int().min(1).max(19).default(3),
  }).prefault({}).describe("How hard each coding tries."),
  credentialed: z.boolean().default(false)
    .describe("Also what https requests with Cookie or Authorization get."),
}).prefault({});

type Options = z.infer<typeof options>;

export default {
  name: "compress",
  options,
  setup({ options, metrics, log }: PluginContext<Options>) {
    const codings = availableCodings(options.codings);
    if (codings.length < options.codings.length) {
      log.warn("This runtime can't make some codings", {
        wanted: options.codings,
        available: codings,
      });
    }
    const responses = metrics.counter(
      "compress_responses_total",
      "Responses that were compressed, by coding",
      ["coding"],
    );
    const matches = typeMatcher(options.types);
    return {
      handlers: {
        readResponse: (request, response) => {
          if (request === undefined) return;
          const given = response.headers.get("content-type");
          if (given === null && response.status === 304) {
            tellAsBefore(request, response);
            return;
          }
          const type = mediaType(given);
          if (!matches(type)) return;
          if (!isWhole(response) || forbidsTransform(request, response)) return;
          addVary(response);
          const coding = preferredCoding(
            request.headers.get("accept-encoding"),
            codings,
          );
          if (coding === undefined) return;
          if (
            response.length !== undefined && response.length < options.minBytes
          ) {
            return;
          }
          if (!options.credentialed && mayLeak(request, response)) return;
          response.headers.set("content-encoding", coding);
          const live = type === "text/event-stream";
          request.transaction.transformResponse(() =>
            compression(coding, options.level[coding], live)
          );
          responses.add(1, coding);
        },
      },
    };
  },
} satisfies Plugin<Options>;

/** Whether the response has, or for HEAD and 304 would have, a whole body that is not coded yet. */
function isWhole({ status, headers }: HttpResponse): boolean {
  if (status < 200 || status === 204 || status === 206) return false;
  const coding = headers.get("content-encoding");
  return coding === null || coding.toLowerCase() === "identity";
}

function forbidsTransform(
  request: HttpRequest,
  response: HttpResponse,
): boolean {
  return [request, response].some(({ headers }) =>
    directives(headers.get("cache-control")).includes("no-transform")
  );
}

/** Whether a secret may lie beside what an attacker chose. */
function mayLeak(request: HttpRequest, response: HttpResponse): boolean {
  if (request.scheme !== "https") return false;
  if (!request.headers.has("cookie") && !request.authorized) return false;
  const said = directives(response.headers.get("cache-control"));
  return !said.includes("public");
}

function directives(field: string | null): string[] {
  return (field ?? "").toLowerCase().split(",").map((each) => each.trim());
}

/**
 * A 304 mostly has no Content-Type. It is to have the ETag and the Vary of the
 * 200 (RFC 9110 §15.4.5): those from here, where the client's tag is from here.
 */
function tellAsBefore({ headers }: HttpRequest, response: HttpResponse): void {
  const etag = response.headers.get("etag");
  if (etag === null || etag.startsWith("W/")) return;
  const weak = `W/${etag}`;
  if (!headers.get("if-none-match")?.includes(weak)) return;
  response.headers.set("etag", weak);
  addVary(response);
}

function addVary({ headers }: HttpResponse): void {
  const vary = headers.getAll("vary").join(",").toLowerCase().split(",")
    .map((name) => name.trim());
  if (!vary.includes("accept-encoding") && !vary.includes("*")) {
    headers.append("vary", "Accept-Encoding");
  }
}
