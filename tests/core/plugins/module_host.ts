/**
 * A web site of plugin modules, and what else the tests of loading share.
 *
 * @module
 */
import {
  type ResolveOptions,
  resolvePlugin,
} from "../../../core/plugins/resolve_plugin.ts";
import type {
  PluginArtifact,
  PluginRequest,
} from "../../../core/plugins/plugin_artifact.ts";
import { PluginLoadError } from "../../../core/plugins/plugin_load_error.ts";
import type { Builtins } from "../../../core/plugins/import_plugin.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";

/** What the site answers for a path. */
export type Page =
  | string
  | Uint8Array<ArrayBuffer>
  | (() => Response | Promise<Response>);

const TYPES: Readonly<Record<string, string>> = {
  ts: "application/typescript",
  tsx: "text/tsx",
  js: "text/javascript",
  json: "application/json",
};

/** A web site on 127.0.0.1. */
export class ModuleHost implements AsyncDisposable {
  /** By path and query. */
  readonly pages: Map<string, Page>;
  /** Paths asked for, in order. */
  readonly asked: string[] = [];
  readonly origin: string;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;

  constructor(pages: Record<string, Page>) {
    this.pages = new Map(Object.entries(pages));
    this.#http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    );
    this.origin = `http://127.0.0.1:${this.#http.addr.port}`;
  }

  #answer(request: Request): Response | Promise<Response> {
    const { pathname, search } = new URL(request.url);
    this.asked.push(pathname + search);
    const page = this.pages.get(pathname + search);
    if (page === undefined) return new Response("none", { status: 404 });
    if (typeof page === "function") return page();
    const type = TYPES[pathname.split(".").at(-1)!] ?? "text/plain";
    return new Response(page, { headers: { "content-type": type } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.shutdown();
  }
}

/** A folder that is removed at the end of its scope. */
export class TempFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "headrace-plugins-" });

  /** Writes files by relative path. */
  write(files: Record<string, string>): void {
    for (const [name, text] of Object.entries(files)) {
      const file = `${this.path}/${name}`;
      Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(file, text);
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A config folder and a cache of its own, with the warnings that came. */
export class Loader implements Disposable {
  readonly warnings: string[] = [];
  readonly folder = new TempFolder();
  readonly options: ResolveOptions;

  constructor(options: Partial<ResolveOptions> = {}) {
    this.options = {
      baseDir: this.folder.path,
      cacheDir: `${this.folder.path}/cache`,
      builtins: new Set(["access-log", "headers"]),
      offlineWarn: (message) => this.warnings.push(message),
      ...options,
    };
  }

  /** Resolves a plugin of the config. */
  resolve(request: PluginRequest | string): Promise<PluginArtifact> {
    return resolvePlugin(
      typeof request === "string" ? { use: request } : request,
      this.options,
    );
  }

  /** Fails unless the plugin is refused with this code; returns the message. */
  async refuses(
    request: PluginRequest | string,
    code: PluginLoadError["code"],
  ): Promise<string> {
    const error = await assertRejects(
      () => this.resolve(request),
      PluginLoadError,
    );
    assertEquals(error.code, code, error.message);
    return error.message;
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

/** The module that an artifact's entry holds. */
export async function importEntry(
  artifact: PluginArtifact,
): Promise<Record<string, unknown>> {
  return await import(artifact.entry);
}

/** No built-in plugins. */
export const NO_BUILTINS: Builtins = new Map();
