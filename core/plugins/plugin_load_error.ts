/**
 * The one class of refusals of a plugin: each way to fail has its own code.
 *
 * @module
 */

/** Why a plugin was refused, from its URL to its instance. */
export type PluginLoadCode =
  // What the config says.
  | "bad_use"
  | "unsupported_scheme"
  | "unknown_builtin"
  | "insecure_url"
  | "bad_pin"
  | "pin_not_possible"
  | "pin_mismatch"
  // Getting the bytes.
  | "not_found"
  | "import_not_found"
  | "http_status"
  | "http_unavailable"
  | "fetch_failed"
  | "fetch_timeout"
  | "read_failed"
  | "file_too_large"
  | "too_many_files"
  | "bad_redirect"
  | "redirect_loop"
  | "too_many_redirects"
  | "insecure_redirect"
  // What the bytes say.
  | "wrong_media_type"
  | "parse_error"
  | "bare_import"
  | "bad_import"
  | "local_import"
  | "computed_import"
  | "unsupported_attribute"
  | "cache_failed"
  // An executable can't have it.
  | "not_embedded"
  // Bringing it to life.
  | "import_failed"
  | "no_default_export"
  | "bad_plugin"
  | "bad_options"
  | "setup_failed"
  | "setup_timeout"
  | "bad_parts"
  | "bad_scope";

/**
 * A plugin that was refused. The message says all of it; `use` and `code` are
 * for whoever lists several, or passes it on to another thread.
 */
export class PluginLoadError extends Error {
  override readonly name = "PluginLoadError";
  /** The plugin as the config names it. */
  readonly use: string;
  readonly code: PluginLoadCode;
  /** What is wrong, without the plugin's name. */
  readonly detail: string;

  /** `detail` completes the sentence `Cannot load plugin USE: …`. */
  constructor(
    use: string,
    code: PluginLoadCode,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot load plugin ${shorten(use)}: ${detail}`, options);
    this.use = use;
    this.code = code;
    this.detail = detail;
  }
}

/** What was thrown, in words. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Text for a message: `data:` URLs can be megabytes long. */
export function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 80)}…` : text;
}
