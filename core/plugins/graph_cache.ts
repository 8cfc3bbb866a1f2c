/**
 * The cache folder: graphs laid out as files, and which graph was the last one
 * of a URL that could be had.
 *
 *     CACHE/HASH-PLACE/manifest.json      what is in the folder
 *     CACHE/HASH-PLACE/000_hello.mjs      …
 *     CACHE/last_good/URLHASH.json        which folder a URL led to last
 *
 * HASH is the graph's hash in hex digits, so that changed bytes get new module
 * URLs, as Deno keeps failed imports for ever. PLACE tells the same bytes from
 * other URLs apart: stack traces name the URL. A folder appears whole, by a
 * rename, and never changes.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { GraphFile, GraphFiles } from "./graph_files.ts";
import { pinHex, sha256Hex } from "./graph_hash.ts";
import type { PluginArtifact } from "./plugin_artifact.ts";
import { messageOf, PluginLoadError } from "./plugin_load_error.ts";

/** Counts up when the files of the same graph come out differently. */
const LAYOUT = 1;

const MANIFEST = "manifest.json";

/** What a folder's manifest holds. */
interface Manifest {
  readonly url: string;
  readonly hash: string;
  readonly entry: string;
  readonly modules: PluginArtifact["modules"];
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

/** A cache folder. */
export class GraphCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Lays a graph out, unless it is there already, and remembers it as its URL's last good one. */
  async store(
    artifact: Omit<PluginArtifact, "entry">,
    { files, entry }: GraphFiles,
  ): Promise<PluginArtifact> {
    const { use, url, hash, modules } = artifact;
    const urls = [String(LAYOUT), url, ...modules.map((module) => module.url)];
    const place = sha256Hex(urls.join("\n")).slice(0, 12);
    const name = `${pinHex(hash)}-${place}`;
    const folder = join(this.#folder, name);
    const manifest: Manifest = {
      url,
      hash,
      entry,
      modules,
      files: files.map((file) => ({
        name: file.name,
        sha256: sha256Hex(file.text),
      })),
    };
    const text = JSON.stringify(manifest, undefined, 2);
    const all = [...files, { name: MANIFEST, text }];
    try {
      if (!await holds(folder, all)) await this.#place(folder, all);
      await this.#remember(url, name);
    } catch (error) {
      throw new PluginLoadError(
        use,
        "cache_failed",
        `cannot write to the cache folder ${this.#folder}: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return { ...artifact, entry: entryUrl(folder, entry) };
  }

  /** The graph that this URL led to last, if it is still there and whole. */
  async lastGood(
    use: string,
    url: string,
  ): Promise<PluginArtifact | undefined> {
    try {
      const { folder: name } = await readJson(this.#indexFile(url)) as {
        readonly folder: string;
      };
      const folder = join(this.#folder, name);
      const manifest = await readJson(join(folder, MANIFEST)) as Manifest;
      for (const { name, sha256 } of manifest.files) {
        const text = await Deno.readTextFile(join(folder, name));
        if (sha256Hex(text) !== sha256) return undefined;
      }
      const { hash, entry, modules } = manifest;
      return {
        use,
        url,
        kind: "module",
        entry: entryUrl(folder, entry),
        hash,
        modules,
      };
    } catch {
      // No copy, or one that can't be read any more: either way there is none,
      // and the caller tells why it was looked for.
      return undefined;
    }
  }

  async #place(folder: string, files: readonly GraphFile[]): Promise<void> {
    await this.#make(this.#folder);
    const fresh = await Deno.makeTempDir({
      dir: this.#folder,
      prefix: ".new-",
    });
    try {
      for (const { name, text } of files) {
        await Deno.writeTextFile(join(fresh, name), text);
      }
      await moveInto(fresh, folder, files);
    } finally {
      await removeIfThere(fresh);
    }
  }

  async #remember(url: string, folder: string): Promise<void> {
    const file = this.#indexFile(url);
    const text = JSON.stringify({ url, folder }, undefined, 2);
    if (await readTextIfThere(file) === text) return;
    await this.#make(join(this.#folder, "last_good"));
    const fresh = await Deno.makeTempFile({
      dir: this.#folder,
      prefix: ".new-",
    });
    await Deno.writeTextFile(fresh, text);
    await Deno.rename(fresh, file);
  }

  #indexFile(url: string): string {
    return join(this.#folder, "last_good", `${sha256Hex(url)}.json`);
  }

  /** Only for this user: what is in here is run. */
  async #make(folder: string): Promise<void> {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  }
}

/** Renames `fresh` to `folder`; where another process was faster, that is as good. */
async function moveInto(
  fresh: string,
  folder: string,
  files: readonly GraphFile[],
): Promise<void> {
  try {
    await Deno.rename(fresh, folder);
  } catch (error) {
    if (await holds(folder, files)) return;
    // What stands in the way is damaged, else it would hold the same.
    const damaged = `${fresh}.damaged`;
    try {
      await Deno.rename(folder, damaged);
    } catch {
      // Nothing stood in the way: the first reason is the one to tell.
      throw error;
    }
    await Deno.rename(fresh, folder);
    await removeIfThere(damaged);
  }
}

/** Whether the folder has each file with exactly this text. */
async function holds(
  folder: string,
  files: readonly GraphFile[],
): Promise<boolean> {
  for (const { name, text } of files) {
    if (await readTextIfThere(join(folder, name)) !== text) return false;
  }
  return true;
}

async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await Deno.readTextFile(file));
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function entryUrl(folder: string, entry: string): string {
  return pathToFileURL(join(folder, entry)).href;
}
