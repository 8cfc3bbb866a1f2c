/**
 * How plugins in workers write to the files that the supervisor holds open.
 *
 * @module
 */
import type { LineFiles, LineFileSource } from "../observe/line_files.ts";
import type { LineFile, LineFileOptions } from "../plugin.ts";
import type { Port } from "./rpc.ts";

type FileAsk =
  | { readonly open: string; readonly options: LineFileOptions }
  | { readonly write: number; readonly bytes: Uint8Array }
  | { readonly close: number };

interface Ask {
  readonly fileAsk: number;
  readonly about: FileAsk;
}

interface Told {
  readonly fileTold: number;
  /** The number of an opened file, or the bytes that were written. */
  readonly value?: number;
  readonly error?: string;
}

/** Asks over `port`. What is asked of a supervisor that is gone is never answered, as nobody is there any more. */
export function askLineFiles(port: Port): LineFileSource {
  const waiting = new Map<number, PromiseWithResolvers<number>>();
  let asks = 0;
  port.addEventListener("message", ({ data }: MessageEvent<Partial<Told>>) => {
    if (data.fileTold === undefined) return;
    const asked = waiting.get(data.fileTold);
    waiting.delete(data.fileTold);
    if (data.error === undefined) asked?.resolve(data.value ?? 0);
    else asked?.reject(new Error(data.error));
  });
  const ask = (about: FileAsk) => {
    const asked = Promise.withResolvers<number>();
    waiting.set(++asks, asked);
    port.postMessage({ fileAsk: asks, about } satisfies Ask);
    return asked.promise;
  };
  return async (path, options = {}) => {
    const number = await ask({ open: path, options });
    return {
      // Of a view all of what it looks at would be copied.
      write: (bytes) => ask({ write: number, bytes: bytes.slice() }),
      close: async () => void await ask({ close: number }),
    };
  };
}

/**
 * Answers what {@linkcode askLineFiles} asks at the other end of `port`. The
 * returned function closes what is left open, once the other end is gone.
 */
export function serveLineFiles(port: Port, files: LineFiles): () => void {
  const open = new Map<number, LineFile>();
  let opened = 0;
  let gone = false;
  port.addEventListener("message", ({ data }: MessageEvent<Partial<Ask>>) => {
    const { fileAsk, about } = data;
    if (fileAsk === undefined || about === undefined) return;
    answer(about).then(
      (value) => port.postMessage({ fileTold: fileAsk, value } satisfies Told),
      (thrown) =>
        port.postMessage(
          {
            fileTold: fileAsk,
            error: thrown instanceof Error ? thrown.message : String(thrown),
          } satisfies Told,
        ),
    );
  });
  return () => {
    gone = true;
    for (const file of open.values()) file.close();
    open.clear();
  };

  async function answer(about: FileAsk): Promise<number> {
    if ("open" in about) {
      const file = await files.open(about.open, about.options);
      if (gone) await file.close();
      else open.set(++opened, file);
      return opened;
    }
    if ("write" in about) {
      const file = open.get(about.write);
      if (file === undefined) throw new TypeError("The file was closed");
      return await file.write(about.bytes);
    }
    const file = open.get(about.close);
    open.delete(about.close);
    await file?.close();
    return 0;
  }
}
