/**
 * What a config's `use` means, and which URLs plugins may come from.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { PluginLoadError, shorten } from "./plugin_load_error.ts";
import { didYouMean } from "../text/suggest.ts";

/** Where a plugin comes from. */
export type PluginSource =
  | { readonly kind: "builtin"; readonly name: string }
  | { readonly kind: "runtime"; readonly specifier: string }
  | { readonly kind: "module"; readonly url: URL };

const SCHEME = /^([a-z][a-z0-9+.-]*):/i;

/**
 * Tells what `use` means. Paths are relative to `baseDir`, the config file's
 * folder. Throws a {@linkcode PluginLoadError} for what can't be one.
 */
export function parseUse(
  use: string,
  baseDir: string,
  builtins: ReadonlySet<string>,
): PluginSource {
  if (/^\.{0,2}\//.test(use)) {
    return { kind: "module", url: pathToFileURL(resolve(baseDir, use)) };
  }
  const scheme = SCHEME.exec(use)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      throw new PluginLoadError(
        use,
        "bad_use",
        use === ""
          ? "expected a URL, a path or builtin:NAME, not an empty text"
          : `expected a URL, builtin:NAME or a path that begins with "./", "../" or "/"; for a file write "./${use}", for a package "npm:${use}"`,
      );
    case "builtin": {
      const name = use.slice("builtin:".length);
      if (builtins.has(name)) return { kind: "builtin", name };
      throw unknownBuiltin(use, name, builtins);
    }
    case "npm":
    case "jsr":
      return { kind: "runtime", specifier: use };
    case "file":
    case "http":
    case "https":
    case "data":
      if (!URL.canParse(use)) {
        throw new PluginLoadError(use, "bad_use", "it is not a valid URL");
      }
      return { kind: "module", url: new URL(use) };
    default:
      throw new PluginLoadError(
        use,
        "unsupported_scheme",
        `plugins don't come from ${scheme}: URLs; expected https:, http:, file:, data:, npm:, jsr: or builtin:`,
      );
  }
}

/** The refusal of a `builtin:` that there is none of. */
export function unknownBuiltin(
  use: string,
  name: string,
  builtins: ReadonlySet<string>,
): PluginLoadError {
  const known = [...builtins].sort().join(", ");
  return new PluginLoadError(
    use,
    "unknown_builtin",
    `there is no built-in plugin "${name}"${didYouMean(name, builtins)}` +
      ` (built in are: ${known || "none"})`,
  );
}

/** Whether nobody between this machine and the URL's host can change the bytes: https, or this machine itself. */
export function isSecure(url: URL): boolean {
  return url.protocol !== "http:" || isLoopback(url.hostname);
}

/** Whether the URL is fetched over a network. */
export function isRemote(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}

function isLoopback(hostname: string): boolean {
  // `URL` has brought every way to write an IPv4 address into this form.
  return hostname === "localhost" || hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** A URL for messages: short, and without a password. */
export function describeUrl(url: URL): string {
  if (url.password === "") return shorten(url.href);
  const masked = new URL(url);
  masked.password = "***";
  return shorten(masked.href);
}
