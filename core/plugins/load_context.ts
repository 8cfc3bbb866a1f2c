/**
 * What all steps of fetching one plugin share.
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";
import { type PluginLoadCode, PluginLoadError } from "./plugin_load_error.ts";

/** Bounds of one plugin's graph. */
export interface LoadLimits {
  /** Milliseconds for one file, redirects and body included; 10 000. */
  readonly fileTimeoutMs: number;
  /** Bytes of one file; 8 MiB. */
  readonly fileBytes: number;
  /** Modules of one graph; 512. */
  readonly files: number;
  /** Redirects followed for one file; 5. */
  readonly redirects: number;
}

/** The bounds where none are given. */
export const DEFAULT_LOAD_LIMITS: LoadLimits = Object.freeze({
  fileTimeoutMs: 10_000,
  fileBytes: 8 * 1024 * 1024,
  files: 512,
  redirects: 5,
});

/** Reads a local file; a `RangeError` says that it has more than `limit` bytes. */
export type ReadFile = (url: URL, limit: number) => Promise<Uint8Array>;

/** What all steps of fetching one plugin share. */
export interface LoadContext {
  /** The plugin as the config names it. */
  readonly use: string;
  /** Whether plain http from other hosts will do, as a pin vouches for the bytes. */
  readonly allowInsecure: boolean;
  readonly limits: LoadLimits;
  readonly fetch: typeof fetch;
  readonly readFile: ReadFile;
  readonly clock: Clock;
  /** Fires when the result is no longer wanted. */
  readonly signal: AbortSignal;
}

/** Where a module is asked for: `URL:line:column`, or undefined for the config. */
export type ImportPlace = string | undefined;

/** A refusal that names the module that imports what was refused. */
export function refusal(
  context: Pick<LoadContext, "use">,
  code: PluginLoadCode,
  detail: string,
  place: ImportPlace,
  options?: ErrorOptions,
): PluginLoadError {
  const imported = place === undefined ? "" : `, imported at ${place}`;
  return new PluginLoadError(context.use, code, detail + imported, options);
}

const TEMPORARY: ReadonlySet<PluginLoadCode> = new Set<PluginLoadCode>([
  "fetch_failed",
  "fetch_timeout",
  "http_unavailable",
]);

/** Whether the network or the far end is down: another try may well do. */
export function isTemporary(thrown: unknown): thrown is PluginLoadError {
  return thrown instanceof PluginLoadError && TEMPORARY.has(thrown.code);
}
