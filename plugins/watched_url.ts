/**
 * What a URL holds, fetched again and again while it is in use.
 *
 * @module
 */
import type { PluginContext } from "../core/plugin.ts";

/** What a watched URL needs. */
export interface WatchedUrlOptions<T> {
  readonly url: string;
  /** Makes of the text what is used; throws where it can't. */
  readonly parse: (text: string) => T;
  /** Milliseconds between two fetches. */
  readonly refresh: number;
  /** What is in use until the first one succeeds; left out: without a first content there is none at all. */
  readonly fallback?: T;
  /** Told of each content after the first. */
  readonly onChange: () => void;
  /** Told how each fetch ended. */
  readonly onFetched: (result: "ok" | "unchanged" | "failed") => void;
}

type UrlContext = Pick<PluginContext<unknown>, "clock" | "log" | "signal">;

/** One fetch may take so long, in milliseconds. */
const TIMEOUT = 10_000;

/** And bring so many bytes. */
const MAX_BYTES = 32 << 20;

/** Contents that are parsed and current. */
export interface WatchedUrl<T> {
  readonly value: T;
}

/** Fetches it; rejects where that fails and there is no `fallback`. From then on the last good content stays. */
export async function watchUrl<T>(
  { clock, log, signal }: UrlContext,
  options: WatchedUrlOptions<T>,
): Promise<WatchedUrl<T>> {
  const { url, parse, refresh, onChange, onFetched } = options;
  let value: T;
  let validators: Record<string, string> = {};
  const load = async () => {
    try {
      const response = await fetch(url, {
        headers: validators,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
      });
      if (response.status === 304) {
        await response.body?.cancel();
        onFetched("unchanged");
        return undefined;
      }
      const text = await readText(response);
      const loaded = { value: parse(text) };
      validators = validatorsOf(response.headers);
      onFetched("ok");
      return loaded;
    } catch (thrown) {
      onFetched("failed");
      throw thrown;
    }
  };
  const failed = (thrown: unknown) =>
    log.error("A list can't be fetched: what there is stays", {
      url,
      reason: reasonOf(thrown),
    });
  try {
    value = (await load())!.value;
  } catch (cause) {
    if (options.fallback === undefined) {
      throw new Error(
        `Cannot use ${JSON.stringify(url)}: ${reasonOf(cause)}`,
        { cause },
      );
    }
    value = options.fallback;
    failed(cause);
  }
  let cancel = () => {};
  const again = () => {
    cancel = clock.after(refresh, () => {
      load().then((loaded) => {
        if (loaded === undefined) return;
        value = loaded.value;
        onChange();
      }).catch((thrown) => {
        if (!signal.aborted) failed(thrown);
      }).finally(() => {
        if (!signal.aborted) again();
      });
    });
  };
  again();
  signal.addEventListener("abort", () => cancel(), { once: true });
  return {
    get value() {
      return value;
    },
  };
}

/** Rejects for what is no 200 and what is too long. */
async function readText(response: Response): Promise<string> {
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`it answers ${response.status}`);
  }
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) {
      throw new Error(`it has more than ${MAX_BYTES} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function validatorsOf(headers: Headers): Record<string, string> {
  const etag = headers.get("etag");
  const modified = headers.get("last-modified");
  return {
    ...etag !== null && { "if-none-match": etag },
    ...modified !== null && { "if-modified-since": modified },
  };
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
