/**
 * What an import's specifier means, and whether the importing module may have it.
 *
 * @module
 */
import { isBuiltin } from "node:module";
import { type LoadContext, refusal } from "./load_context.ts";
import { PluginLoadError } from "./plugin_load_error.ts";
import { refuseInsecure } from "./fetch_module.ts";
import { describeUrl } from "./plugin_url.ts";

const RELATIVE = /^(?:\.{0,2}\/)/;
const SCHEME = /^([a-z][a-z0-9+.-]*):/i;

/** A module as the importer of others. */
export interface Importer {
  /** The base of its imports. */
  readonly url: URL;
  /** Whether the config itself names it. */
  readonly isRoot: boolean;
}

/**
 * The URL that `specifier` means in `importer`; undefined for what is the
 * runtime's to fetch (`npm:`, `jsr:`, `node:`). Throws a
 * {@linkcode PluginLoadError} that names the importing module at `place`.
 */
export function resolveImport(
  specifier: string,
  importer: Importer,
  place: string,
  context: LoadContext,
): URL | undefined {
  const scheme = SCHEME.exec(specifier)?.[1]?.toLowerCase();
  if (scheme === "npm" || scheme === "jsr" || scheme === "node") {
    return undefined;
  }
  if (scheme === undefined && !RELATIVE.test(specifier)) {
    throw refusal(
      context,
      "bare_import",
      `"${specifier}" has no place to come from; write "${
        isBuiltin(specifier) ? "node" : "npm"
      }:${specifier}" or a URL`,
      place,
    );
  }
  if (!URL.canParse(specifier, importer.url)) {
    throw refusal(
      context,
      "bad_import",
      `"${specifier}" can't be resolved against ${describeUrl(importer.url)}`,
      place,
    );
  }
  const url = new URL(specifier, importer.url);
  refuseScheme(url, importer, place, context);
  return url;
}

function refuseScheme(
  url: URL,
  importer: Importer,
  place: string,
  context: LoadContext,
): void {
  const base = importer.url.protocol;
  // A data: module further down may be some remote module's disguise.
  const disguised = base === "data:" && !importer.isRoot;
  switch (url.protocol) {
    case "https:":
    case "data:":
      return;
    case "http:":
      // What came over https must not depend on what anybody on this machine
      // or on the way can serve: mixed content, as browsers and Deno refuse it.
      if ((base === "https:" || disguised) && !context.allowInsecure) {
        throw refusal(
          context,
          "insecure_url",
          `a module from ${base} may not import ${
            describeUrl(url)
          } over plain http`,
          place,
        );
      }
      refuseInsecure(url, place, context);
      return;
    case "file:":
      if (base === "file:" || (base === "data:" && !disguised)) return;
      throw refusal(
        context,
        "local_import",
        `${describeUrl(importer.url)} may not import the local file ${
          describeUrl(url)
        }`,
        place,
      );
    default:
      throw new PluginLoadError(
        context.use,
        "unsupported_scheme",
        `modules can't be imported from ${url.protocol} URLs ("${
          describeUrl(url)
        }"), imported at ${place}`,
      );
  }
}
