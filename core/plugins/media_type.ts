/**
 * What kind of text a module is, by media type and extension.
 *
 * @module
 */

/** How to read a module. */
export type ModuleType = "js" | "jsx" | "ts" | "tsx" | "json";

const BY_EXTENSION: Readonly<Record<string, ModuleType>> = {
  js: "js",
  mjs: "js",
  jsx: "jsx",
  ts: "ts",
  mts: "ts",
  tsx: "tsx",
  json: "json",
};

const JAVASCRIPT =
  /^(?:text|application)\/(?:x-)?(?:javascript|ecmascript)$|^text\/javascript1\.[0-5]$/;
// Many file servers take .ts for MPEG-2 transport streams; so does Deno for them.
const TYPESCRIPT =
  /^(?:text|application)\/(?:x-)?typescript$|^video\/(?:mp2t|vnd\.dlna\.mpeg-tts)$/;
const JSON_TYPE = /^(?:text|application)\/json$|^[^/]+\/[^/]+\+json$/;
// What servers say of files that they know nothing of: the extension tells more.
const UNTOLD = /^$|^text\/plain$|^application\/octet-stream$/;

/**
 * The type of a module, as browsers and Deno tell it: a media type decides, the
 * extension completes it or stands in where there is none. Undefined for what
 * is no module.
 */
export function moduleType(
  url: URL,
  contentType: string | undefined,
): ModuleType | undefined {
  const extension = url.protocol === "data:"
    ? ""
    : /\.([a-z]+)$/i.exec(url.pathname)?.[1]?.toLowerCase() ?? "";
  const essence = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  if (UNTOLD.test(essence)) {
    return Object.hasOwn(BY_EXTENSION, extension)
      ? BY_EXTENSION[extension]
      : undefined;
  }
  if (JAVASCRIPT.test(essence)) return extension === "jsx" ? "jsx" : "js";
  if (TYPESCRIPT.test(essence)) return extension === "tsx" ? "tsx" : "ts";
  if (essence === "text/jsx") return "jsx";
  if (essence === "text/tsx") return "tsx";
  return JSON_TYPE.test(essence) ? "json" : undefined;
}
