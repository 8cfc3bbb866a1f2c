/**
 * Serves files.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080" }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 404, body: "nothing here\n" } }]
 * plugins:
 *   - use: "builtin:static"
 *     options:
 *       root: public
 *       precompressed: [br, gzip]
 *       cacheControl: "public, max-age=3600"
 * ```
 *
 * GET and HEAD of a path get the file below `root`, with `prefix` taken away:
 * its type by its extension (`types` adds to those known), an ETag of its time
 * and size, conditional requests and a single byte range by RFC 9110; who asks
 * for several ranges at once gets the whole (§14.2 lets a server do so). A folder
 * is its `index`; without a slash at its end it is redirected to that. What is
 * not there goes on to the product's rules; with `fallback`, the page of a
 * single-page application, those that accept HTML get that, and with
 * `otherwise: 404` the others that.
 *
 * With `precompressed` the file's sibling `NAME.br`, `NAME.gz` or `NAME.zst` is
 * sent where the client wants that coding.
 *
 * No path leaves the root: it is decoded once, and `.`, `..`, empty parts (`//`),
 * encoded slashes, backslashes and control characters are in no file's name. Links are followed
 * where they lead below the root (`links: inside`), `never`, or to `any` file.
 * Names that begin with a dot are not there unless `hidden` is true.
 *
 * `headrace_plugin_static_responses_total{status}` counts what was sent.
 *
 * @module
 */
import { z } from "zod";
import type {
  HandlerResponse,
  HttpRequest,
  Plugin,
  PluginContext,
} from "../core/plugin.ts";
import { preferredCoding } from "./accept_encoding.ts";
import { preferredType } from "./accept_type.ts";
import { compileOption } from "./compile_option.ts";
import { preconditionStatus, rangeOf } from "./conditional.ts";
import {
  type LinkPolicy,
  openBelow,
  type OpenFile,
  pathParts,
} from "./file_path.ts";
import { MEDIA_TYPES } from "./media_types.ts";

const CODINGS = { zstd: ".zst", br: ".br", gzip: ".gz" } as const;

type Coding = keyof typeof CODINGS;

const FILE_NAME = z.string().regex(/^[^/\\]+$/, "Expected the name of a file");

const Options = z.strictObject({
  root: z.string().min(1).describe(
    "The folder, relative to the working directory",
  ),
  prefix: z.string().regex(/^\//).default("/").describe(
    "Paths that it is for, and what they lose",
  ),
  when: z.string().optional().describe(
    "Which requests it is for; left out: all",
  ),
  index: z.array(FILE_NAME).default(["index.html"]).describe(
    "What a folder is; the first that is there",
  ),
  fallback: z.string().regex(/^\//).optional().describe(
    "The file, below the root, that is sent where there is none and HTML is accepted",
  ),
  otherwise: z.enum(["rules", "404"]).default("rules").describe(
    "What becomes of requests for what is not there",
  ),
  precompressed: z.array(z.enum(["zstd", "br", "gzip"])).default([]).describe(
    "Codings that siblings are looked for, in the order of preference",
  ),
  links: z.enum(["inside", "never", "any"]).default("inside").describe(
    "Which symbolic links are followed",
  ),
  hidden: z.boolean().default(false).describe(
    "Also names that begin with a dot",
  ),
  types: z.record(z.string(), z.string()).superRefine((types, context) => {
    for (const extension of Object.keys(types)) {
      if (/^[^A-Z./\\]+$/.test(extension)) continue;
      context.addIssue({
        code: "custom",
        path: [extension],
        message: "Expected an extension in small letters without a dot",
      });
    }
  }).default({}).describe(
    "Media types by extension, besides those known",
  ),
  cacheControl: z.string().min(1).optional().describe(
    "What Cache-Control says with files, though not with the fallback",
  ),
});

type StaticOptions = z.output<typeof Options>;

/** Files up to this size go out with their head in one write. */
const SMALL = 32 << 10;

/** A file that was found, and what is said of it. */
interface Located {
  readonly open: OpenFile;
  readonly name: string;
  readonly coding: Coding | undefined;
  readonly isFallback: boolean;
}

export default {
  name: "static",
  options: Options,
  async setup(context) {
    const { options, verdict, metrics, condition } = context;
    const { when, otherwise } = options;
    const responses = metrics.counter("responses_total", "Responses sent", [
      "status",
    ]);
    const applies = when === undefined
      ? undefined
      : compileOption("when", () => condition(when));
    const folder = new Folder(context, await rootOf(options.root));
    const answer = (response: HandlerResponse) => {
      responses.add(1, String(response.status));
      return verdict.respond(response);
    };
    const serve = async (request: HttpRequest, parts: string[]) => {
      const found = await folder.find(request, parts);
      if (found === "directory") {
        // Without an empty part, as it was found: no other host's name.
        const { path, query } = request;
        responses.add(1, "308");
        return verdict.redirect(
          query === "" ? `${path}/` : `${path}/?${query}`,
          308,
        );
      }
      if (found !== undefined) return answer(await respond(request, found));
      return otherwise === "404" ? answer(NOT_FOUND) : undefined;
    };
    const respond = responder(options);
    return {
      handlers: {
        foundProduct(request) {
          const { method } = request;
          if (applies?.(request) === false) return undefined;
          const path = behind(options.prefix, request.path);
          if (path === undefined) return undefined;
          if (method !== "GET" && method !== "HEAD") {
            return otherwise === "404" ? answer(NOT_ALLOWED) : undefined;
          }
          const parts = pathParts(path);
          const isHidden = !options.hidden &&
            parts?.some((part) => part.startsWith("."));
          if (parts === undefined || isHidden) {
            return otherwise === "404" ? answer(NOT_FOUND) : undefined;
          }
          return serve(request, parts);
        },
      },
    };
  },
} satisfies Plugin<StaticOptions>;

const NOT_FOUND: HandlerResponse = { status: 404, body: "Not found\n" };

const NOT_ALLOWED: HandlerResponse = {
  status: 405,
  headers: { allow: "GET, HEAD" },
  body: "Method not allowed\n",
};

async function rootOf(root: string): Promise<string> {
  try {
    const real = await Deno.realPath(root);
    const { isDirectory } = await Deno.stat(real);
    if (!isDirectory) throw new Error("it is no folder");
    return real;
  } catch (cause) {
    throw new Error(
      `Cannot serve ${JSON.stringify(root)}: ${
        cause instanceof Error ? cause.message : cause
      }`,
      { cause },
    );
  }
}

/** The path without its prefix; undefined for one that has another. */
function behind(prefix: string, path: string): string | undefined {
  const whole = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  if (!path.startsWith(whole)) return undefined;
  const rest = path.slice(whole.length);
  return rest.startsWith("/") ? rest : undefined;
}

/** Finds files below a root. */
class Folder {
  readonly #options: StaticOptions;
  readonly #root: string;
  readonly #fallback: readonly string[] | undefined;

  constructor({ options }: PluginContext<StaticOptions>, root: string) {
    this.#options = options;
    this.#root = root;
    this.#fallback = options.fallback === undefined
      ? undefined
      : pathParts(options.fallback);
  }

  /** What a request gets; undefined for nothing. */
  async find(
    request: HttpRequest,
    parts: readonly string[],
  ): Promise<Located | "directory" | undefined> {
    const slash = request.path.endsWith("/");
    const found = await this.#open(parts);
    if (found === "directory") {
      for (const index of this.#options.index) {
        const located = await this.#locate(request, [...parts, index], false);
        if (located === undefined) continue;
        if (slash) return located;
        located.open.file.close();
        return "directory";
      }
    } else if (found !== undefined) {
      // A file is no folder: `/a.html/` is not there.
      if (!slash) return await this.#coded(request, parts, found, false);
      found.file.close();
    }
    const accepts = preferredType(request.headers.get("accept"), ["text/html"]);
    if (this.#fallback === undefined || accepts === undefined) return undefined;
    return await this.#locate(request, this.#fallback, true);
  }

  async #locate(
    request: HttpRequest,
    parts: readonly string[],
    isFallback: boolean,
  ): Promise<Located | undefined> {
    const found = await this.#open(parts);
    return found === undefined || found === "directory"
      ? undefined
      : await this.#coded(request, parts, found, isFallback);
  }

  #open(parts: readonly string[]) {
    return openBelow(this.#root, parts, this.#options.links as LinkPolicy);
  }

  /** The file or, where the client likes it better, its sibling in a coding. */
  async #coded(
    { headers }: HttpRequest,
    parts: readonly string[],
    open: OpenFile,
    isFallback: boolean,
  ): Promise<Located> {
    const name = parts.at(-1) ?? "";
    const field = headers.get("accept-encoding");
    const left: Coding[] = [...this.#options.precompressed];
    for (;;) {
      const coding = preferredCoding(field, left);
      if (coding === undefined) {
        return { open, name, coding: undefined, isFallback };
      }
      const sibling = [...parts.slice(0, -1), name + CODINGS[coding]];
      const found = await this.#open(sibling);
      if (found !== undefined && found !== "directory") {
        open.file.close();
        return { open: found, name, coding, isFallback };
      }
      left.splice(left.indexOf(coding), 1);
    }
  }
}

/** Makes responses of files. */
function responder(options: StaticOptions) {
  const types = { ...MEDIA_TYPES, ...options.types };
  const varies = options.precompressed.length > 0;
  return async (
    request: HttpRequest,
    { open, name, coding, isFallback }: Located,
  ): Promise<HandlerResponse> => {
    const { file, size, modified } = open;
    const validators = {
      etag: `"${modified.toString(36)}-${size.toString(36)}"`,
      modified,
    };
    const control = isFallback ? "no-cache" : options.cacheControl;
    const headers: [string, string][] = [
      ["etag", validators.etag],
      ["last-modified", new Date(modified).toUTCString()],
      ...varies ? [["vary", "Accept-Encoding"] as [string, string]] : [],
      ...control === undefined
        ? []
        : [["cache-control", control] as [string, string]],
    ];
    const status = preconditionStatus(request, validators);
    if (status !== undefined) {
      file.close();
      return { status, headers };
    }
    const range = rangeOf(request, validators, size);
    headers.push(["accept-ranges", "bytes"]);
    if (range === "unsatisfiable") {
      file.close();
      headers.push(["content-range", `bytes */${size}`]);
      return { status: 416, headers };
    }
    headers.push(
      ["content-type", typeOf(name, types)],
      ["x-content-type-options", "nosniff"],
    );
    if (coding !== undefined) headers.push(["content-encoding", coding]);
    if (range !== undefined) {
      headers.push([
        "content-range",
        `bytes ${range.start}-${range.end}/${size}`,
      ]);
    }
    const start = range?.start ?? 0;
    const length = range === undefined ? size : range.end - range.start + 1;
    const head = { status: range === undefined ? 200 : 206, headers };
    if (request.method === "HEAD") {
      file.close();
      return { ...head, length };
    }
    try {
      if (start > 0) await file.seek(start, Deno.SeekMode.Start);
      if (length > SMALL) return { ...head, body: file, length };
      const body = await readSmall(file, length);
      file.close();
      return { ...head, body };
    } catch (error) {
      file.close();
      throw error;
    }
  };
}

async function readSmall(
  file: Deno.FsFile,
  length: number,
): Promise<Uint8Array> {
  const body = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await file.read(body.subarray(at));
    if (count === null) throw new Error("The file became shorter");
    at += count;
  }
  return body;
}

function typeOf(
  name: string,
  types: Readonly<Record<string, string>>,
): string {
  const dot = name.lastIndexOf(".");
  const extension = dot < 0 ? "" : name.slice(dot + 1).toLowerCase();
  const type = Object.hasOwn(types, extension) ? types[extension] : undefined;
  if (type === undefined) return "application/octet-stream";
  return type.startsWith("text/") && !type.includes(";")
    ? `${type}; charset=utf-8`
    : type;
}
