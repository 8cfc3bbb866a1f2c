/**
 * A file whose contents are in use, reread when it changes.
 *
 * It is asked for its time, size and number, not watched: that works for
 * links that are swapped and for network file systems too.
 *
 * @module
 */
import type { PluginContext } from "../core/plugin.ts";

/** What a watched file needs. */
export interface WatchedFileOptions<T> {
  /** Its path, relative to the working directory. */
  readonly path: string;
  /** Makes of the text what is used; throws where it can't. */
  readonly parse: (text: string) => T;
  /** Milliseconds between two looks; 2000. */
  readonly interval?: number;
  /** Told of each new content. */
  readonly onChange?: (value: T) => void;
}

type FileContext = Pick<PluginContext<unknown>, "clock" | "log" | "signal">;

/** Contents that are parsed and current. */
export interface WatchedFile<T> {
  readonly value: T;
  /** Looks now whether it changed; resolves when what there is is in use. Never rejects. */
  refresh(): Promise<void>;
}

/** Reads it; rejects where it can't be read or parsed. From then on what is wrong with it is logged and the last good content stays. */
export async function watchFile<T>(
  { clock, log, signal }: FileContext,
  { path, parse, interval = 2_000, onChange }: WatchedFileOptions<T>,
): Promise<WatchedFile<T>> {
  let mark = "";
  const load = async () => {
    const next = markOf(await Deno.stat(path));
    if (next === mark) return undefined;
    const parsed = { value: parse(await Deno.readTextFile(path)) };
    mark = next;
    return parsed;
  };
  let value: T;
  try {
    value = (await load())!.value;
  } catch (cause) {
    throw new Error(`Cannot use ${JSON.stringify(path)}: ${reasonOf(cause)}`, {
      cause,
    });
  }
  let failure = "";
  const refresh = async () => {
    try {
      const loaded = await load();
      if (loaded !== undefined) {
        value = loaded.value;
        onChange?.(value);
        log.info("A file changed and is in use", { path });
      }
      failure = "";
    } catch (thrown) {
      const reason = reasonOf(thrown);
      // Once for each reason: it is looked at again and again.
      if (reason !== failure) {
        log.error("A file changed and can't be used: the last content stays", {
          path,
          reason,
        });
      }
      failure = reason;
    }
  };
  let cancel = () => {};
  const again = () => {
    cancel = clock.after(interval, () => {
      refresh().then(() => {
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
    refresh,
  };
}

function markOf({ mtime, size, ino }: Deno.FileInfo): string {
  return `${mtime?.getTime()} ${size} ${ino}`;
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
