/**
 * Gets the bytes of one module: over http(s) with redirects, from a file, or
 * out of a `data:` URL.
 *
 * @module
 */
import {
  type ImportPlace,
  type LoadContext,
  type ReadFile,
  refusal,
} from "./load_context.ts";
import { messageOf, PluginLoadError } from "./plugin_load_error.ts";
import { describeUrl, isRemote, isSecure } from "./plugin_url.ts";

/** One module's bytes. */
export interface FetchedModule {
  /** Where redirects led: the base of its imports. */
  readonly url: URL;
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Gone for good, so that a last good copy would hide it. */
const GONE: ReadonlySet<number> = new Set([404, 410]);

/** The far end's trouble besides 5xx: request timeout, too early, too many requests. */
const BUSY: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Fetches one module. Throws a {@linkcode PluginLoadError}, or the signal's
 * reason when that fires.
 */
export async function fetchModule(
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): Promise<FetchedModule> {
  switch (url.protocol) {
    case "file:":
      return await readLocal(url, place, context);
    case "data:":
      return await readData(url, place, context);
    default:
      return await fetchRemote(url, place, context);
  }
}

/** Refuses plain http from other hosts unless the graph is pinned. */
export function refuseInsecure(
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): void {
  if (context.allowInsecure || isSecure(url)) return;
  throw refusal(
    context,
    "insecure_url",
    `${
      describeUrl(url)
    } comes over plain http, where anybody on the way can change it; use https:, or pin it with integrity`,
    place,
  );
}

/** Reads a file; `limit` keeps devices and mistakes out of memory. */
export const readLocalFile: ReadFile = async (url, limit) => {
  const info = await Deno.stat(url);
  if (!info.isFile) throw new TypeError("it is not a file");
  if (info.size > limit) throw new RangeError("it is too large");
  return await Deno.readFile(url);
};

async function readLocal(
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): Promise<FetchedModule> {
  let bytes: Uint8Array;
  try {
    bytes = await context.readFile(url, context.limits.fileBytes);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw notFound(url, "there is no such file", place, context);
    }
    if (error instanceof RangeError) {
      throw tooLarge(url, place, context);
    }
    throw refusal(
      context,
      "read_failed",
      `cannot read ${describeUrl(url)}: ${messageOf(error)}`,
      place,
      { cause: error },
    );
  }
  context.signal.throwIfAborted();
  checkSize(bytes.length, url, place, context);
  return { url, bytes, contentType: undefined };
}

async function readData(
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): Promise<FetchedModule> {
  let response: Response;
  try {
    // Not `context.fetch`: nothing leaves the machine, and a test's stand-in
    // for the network need not know `data:`.
    response = await fetch(url);
  } catch (error) {
    throw refusal(
      context,
      "bad_use",
      `${describeUrl(url)} is not a valid data: URL`,
      place,
      { cause: error },
    );
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  checkSize(bytes.length, url, place, context);
  return { url, bytes, contentType: contentTypeOf(response) };
}

async function fetchRemote(
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): Promise<FetchedModule> {
  const { clock, limits } = context;
  const late = new AbortController();
  const cancel = clock.after(limits.fileTimeoutMs, () => late.abort());
  try {
    const signal = AbortSignal.any([context.signal, late.signal]);
    return await follow(url, signal, place, context);
  } catch (error) {
    if (error instanceof PluginLoadError) throw error;
    context.signal.throwIfAborted();
    if (late.signal.aborted) {
      throw refusal(
        context,
        "fetch_timeout",
        `${describeUrl(url)} did not come within ${limits.fileTimeoutMs} ms`,
        place,
      );
    }
    throw refusal(
      context,
      "fetch_failed",
      `${describeUrl(url)} cannot be fetched: ${networkReason(error)}`,
      place,
      { cause: error },
    );
  } finally {
    cancel();
  }
}

/** What the network said: in the cause since Deno 2.9, and with the URL before it. */
function networkReason(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error
    ? thrown.cause
    : thrown;
  return messageOf(cause).replace(
    /^error sending request .*?(?=client error)/,
    "",
  );
}

/** Fetches, following redirects ourselves: each hop has to keep the rules of where plugins come from. */
async function follow(
  first: URL,
  signal: AbortSignal,
  place: ImportPlace,
  context: LoadContext,
): Promise<FetchedModule> {
  const seen = new Set<string>();
  for (let url = first;;) {
    seen.add(url.href);
    const response = await context.fetch(url, { redirect: "manual", signal });
    if (!REDIRECTS.has(response.status)) {
      try {
        checkStatus(response, url, place, context);
        const bytes = await readBody(response, url, place, context);
        return { url, bytes, contentType: contentTypeOf(response) };
      } catch (error) {
        await discard(response);
        throw error;
      }
    }
    await discard(response);
    const next = nextHop(response, url, place, context);
    if (seen.has(next.href)) {
      throw refusal(
        context,
        "redirect_loop",
        `${describeUrl(first)} redirects in a loop: ${
          describeUrl(next)
        } came twice`,
        place,
      );
    }
    if (seen.size > context.limits.redirects) {
      throw refusal(
        context,
        "too_many_redirects",
        `${
          describeUrl(first)
        } redirects more than ${context.limits.redirects} times`,
        place,
      );
    }
    url = next;
  }
}

function nextHop(
  response: Response,
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): URL {
  const location = response.headers.get("location");
  if (location === null || !URL.canParse(location, url)) {
    throw refusal(
      context,
      "bad_redirect",
      `${describeUrl(url)} answers ${response.status} ${
        location === null
          ? "without a location"
          : `with the location "${location}", which is no URL`
      }`,
      place,
    );
  }
  const next = new URL(location, url);
  if (!isRemote(next)) {
    throw refusal(
      context,
      "bad_redirect",
      `${describeUrl(url)} redirects to ${
        describeUrl(next)
      }; redirects may lead to https: and http: only`,
      place,
    );
  }
  if (url.protocol === "https:" && next.protocol === "http:") {
    throw refusal(
      context,
      "insecure_redirect",
      `${describeUrl(url)} redirects from https to ${describeUrl(next)}`,
      place,
    );
  }
  refuseInsecure(next, place, context);
  return next;
}

function checkStatus(
  response: Response,
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): void {
  const { status } = response;
  if (status === 200) return;
  if (GONE.has(status)) {
    throw notFound(url, `it answers ${status}`, place, context);
  }
  const unavailable = status >= 500 || BUSY.has(status);
  throw refusal(
    context,
    unavailable ? "http_unavailable" : "http_status",
    `${describeUrl(url)} answers ${status} instead of 200`,
    place,
  );
}

async function readBody(
  response: Response,
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): Promise<Uint8Array> {
  const declared = Number(response.headers.get("content-length") ?? 0);
  checkSize(declared, url, place, context);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    checkSize(size, url, place, context);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

async function discard(response: Response): Promise<void> {
  try {
    await response.body?.cancel();
  } catch {
    // The body failed, or was read to its end or locked: nothing is left open.
  }
}

function checkSize(
  size: number,
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): void {
  if (size > context.limits.fileBytes) throw tooLarge(url, place, context);
}

function tooLarge(
  url: URL,
  place: ImportPlace,
  context: LoadContext,
): PluginLoadError {
  return refusal(
    context,
    "file_too_large",
    `${describeUrl(url)} has more than ${context.limits.fileBytes} bytes`,
    place,
  );
}

function notFound(
  url: URL,
  reason: string,
  place: ImportPlace,
  context: LoadContext,
): PluginLoadError {
  return refusal(
    context,
    place === undefined ? "not_found" : "import_not_found",
    `${describeUrl(url)} is not there: ${reason}`,
    place,
  );
}

function contentTypeOf(response: Response): string | undefined {
  return response.headers.get("content-type") ?? undefined;
}
