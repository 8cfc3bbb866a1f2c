/**
 * The hash over a plugin's whole graph, and the pins compared with it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { GraphModule, ModuleGraph } from "./fetch_graph.ts";
import { PluginLoadError } from "./plugin_load_error.ts";

/** A module with its name in the graph. */
export interface NamedModule {
  readonly name: string;
  readonly module: GraphModule;
  /** Of the bytes as fetched, in hex digits. */
  readonly sha256: string;
}

/** SHA-256 in hex digits. */
export function sha256Hex(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

/** `sha256-…`, as pins are written. */
export function sha256Pin(data: Uint8Array | string): string {
  return `sha256-${createHash("sha256").update(data).digest("base64")}`;
}

/** The hex digits of a pin. */
export function pinHex(pin: string): string {
  return Buffer.from(pin.slice("sha256-".length), "base64").toString("hex");
}

/** Throws a {@linkcode PluginLoadError} unless `pin` is written as it should be. */
export function checkPin(use: string, pin: string): void {
  // 32 bytes are 43 digits, of which the last carries four bits, and one "=".
  if (/^sha256-[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(pin)) return;
  throw new PluginLoadError(
    use,
    "bad_pin",
    `integrity must be "sha256-" and 44 base64 digits, as "headrace plugin hash" prints it: current value is "${pin}"`,
  );
}

/**
 * The modules by name. A name is the URL, relative to the root module where it
 * shares the root's origin: so that a pin holds on every machine, whatever the
 * folder or the host that the same files are in.
 */
export function nameModules(graph: ModuleGraph): NamedModule[] {
  const root = new URL(graph.root);
  return [...graph.modules.values()]
    .map((module) => ({
      name: nameIn(root, module.url),
      module,
      sha256: sha256Hex(module.bytes),
    }))
    .sort((a, b) => compare(a.name, b.name));
}

/**
 * `sha256-…` over everything that decides what runs: each module's name, type
 * and bytes, which one is the root, and where redirects between them led.
 */
export function hashModules(
  graph: ModuleGraph,
  modules: readonly NamedModule[],
): string {
  const root = new URL(graph.root);
  const lines = [`root ${nameIn(root, root)}`];
  for (const { name, module, sha256 } of modules) {
    lines.push(`module ${module.type} ${sha256} ${name}`);
  }
  const redirected: string[] = [];
  for (const module of graph.modules.values()) {
    for (const { url } of module.imports) {
      const led = graph.redirects.get(url.href);
      if (led === undefined) continue;
      const from = nameIn(root, url);
      redirected.push(`redirect ${from} ${nameIn(root, new URL(led))}`);
    }
  }
  lines.push(...[...new Set(redirected)].sort(compare));
  return sha256Pin(lines.join("\n"));
}

function nameIn(root: URL, url: URL): string {
  if (!shareOrigin(root, url)) return url.href;
  const folders = root.pathname.split("/").slice(1, -1);
  const path = url.pathname.split("/").slice(1);
  let shared = 0;
  while (
    shared < folders.length && shared < path.length - 1 &&
    folders[shared] === path[shared]
  ) {
    shared++;
  }
  const up = "../".repeat(folders.length - shared) || "./";
  return up + path.slice(shared).join("/") + url.search + url.hash;
}

function shareOrigin(a: URL, b: URL): boolean {
  return a.protocol === b.protocol && a.host === b.host &&
    a.protocol !== "data:";
}

/** By code units: the same on every machine, whatever its language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
