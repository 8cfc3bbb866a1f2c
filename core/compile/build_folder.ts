/**
 * The folder that an executable is made from: a copy of the sources, the
 * plugins laid out, and the entry. As a copy it has one root, wherever the sources
 * and the plugins come from, and what the compiler writes to its lock file stays
 * out of the project's.
 *
 * @module
 */
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { type EmbeddedPlugin, embeddedUrl } from "../plugins/embedded.ts";
import type { PluginArtifact } from "../plugins/plugin_artifact.ts";
import { parseUse } from "../plugins/plugin_url.ts";
import { entryText } from "./entry.ts";

/** Folders of the sources that an executable is made of. */
const SOURCES = ["core", "plugins"] as const;

/** The keys of `deno.json` that tell how the sources are to be read; others are tasks, or unknown to older compilers. */
const KEYS = ["imports", "compilerOptions", "nodeModulesDir", "unstable"];

/** Started by its URL, which the compiler does not see. */
const WORKER = join("core", "supervisor", "worker.ts");

/** A folder to compile in; it goes with the value. */
export class BuildFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes an empty one among the system's temporary files. */
  static async create(): Promise<BuildFolder> {
    return new BuildFolder(
      await Deno.makeTempDir({ prefix: "headrace-compile-" }),
    );
  }

  /** Where plugins are laid out. */
  get plugins(): string {
    return join(this.path, "embedded");
  }

  /** The config of Deno for this build. */
  get config(): string {
    return join(this.path, "deno.json");
  }

  /** The entry to compile. */
  get entry(): string {
    return join(this.path, "headrace.ts");
  }

  /** Copies the sources; the paths that the compiler has to be told of. */
  async copySources(root: URL): Promise<string[]> {
    const from = fileURLToPath(root);
    const included = [WORKER];
    const texts: string[] = [];
    for (const folder of SOURCES) {
      for await (const file of filesOf(join(from, folder))) {
        const path = relative(from, file);
        const target = join(this.path, path);
        await Deno.mkdir(dirname(target), { recursive: true });
        await Deno.copyFile(file, target);
        // Pages and what belongs to them are read at run time.
        if (file.endsWith(".ts")) texts.push(await Deno.readTextFile(file));
        else included.push(path);
      }
    }
    await this.#writeConfig(from, texts);
    return included;
  }

  /** Writes the entry with these plugins, which were laid out here. */
  async writeEntry(
    artifacts: readonly PluginArtifact[],
    baseDir: string,
  ): Promise<EmbeddedPlugin[]> {
    const plugins: EmbeddedPlugin[] = [];
    for (const artifact of artifacts) {
      if (artifact.kind === "builtin") continue;
      const { use, kind, hash, modules } = artifact;
      const url = embeddedUrl(use, parseUse(use, baseDir, new Set()));
      if (plugins.some((plugin) => plugin.url === url)) continue;
      plugins.push({
        url,
        kind,
        hash,
        modules,
        entry: this.#entryOf(artifact),
      });
    }
    await Deno.writeTextFile(this.entry, entryText(plugins));
    return plugins;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }

  #entryOf({ kind, entry }: PluginArtifact): string {
    if (kind === "runtime") return entry;
    const path = relative(this.path, fileURLToPath(entry));
    return `./${path.replaceAll(sep, "/")}`;
  }

  /** Of `deno.json` what the sources need: packages of tests and scripts are not to be embedded. */
  async #writeConfig(from: string, texts: readonly string[]): Promise<void> {
    const config = JSON.parse(await Deno.readTextFile(join(from, "deno.json")));
    const kept = Object.fromEntries(
      KEYS.filter((key) => key in config).map((key) => [key, config[key]]),
    );
    kept.imports = Object.fromEntries(
      Object.entries(config.imports).filter(([name]) =>
        texts.some((text) =>
          text.includes(`"${name}"`) || text.includes(`"${name}/`)
        )
      ),
    );
    await Deno.writeTextFile(this.config, JSON.stringify(kept, null, 2));
    await Deno.copyFile(
      join(from, "deno.lock"),
      join(this.path, "deno.lock"),
    );
  }
}

async function* filesOf(folder: string): AsyncIterable<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* filesOf(path);
    else yield path;
  }
}

/** The folder of Headrace's sources: undefined inside an executable, and where they were not loaded from files. */
export function sourcesRoot(): URL | undefined {
  const root = new URL("../../", import.meta.url);
  return Deno.build.standalone || root.protocol !== "file:" ? undefined : root;
}
