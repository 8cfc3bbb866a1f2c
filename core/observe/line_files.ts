/**
 * Files that plugins append lines to: one open file for all workers, so that
 * rotating and reopening it loses nothing and no line is torn by another's.
 *
 * @module
 */
import { resolve } from "node:path";
import type { LineFile, LineFileOptions, Log } from "../plugin.ts";

/** Opens a file for one user; each `close` gives it back. Rejects where it can't be opened. */
export type LineFileSource = (
  path: string,
  options?: LineFileOptions,
) => Promise<LineFile>;

/** The files that are open, by their absolute paths. */
export class LineFiles {
  readonly #log: Pick<Log, "error">;
  readonly #files = new Map<string, Promise<OneFile>>();

  constructor(log: Pick<Log, "error">) {
    this.#log = log;
  }

  /** The same file for all who name it; the last one's options hold. */
  readonly open: LineFileSource = async (path, options = {}) => {
    const absolute = resolve(path);
    let opening = this.#files.get(absolute);
    if (opening === undefined) {
      opening = OneFile.open(absolute, this.#log);
      this.#files.set(absolute, opening);
    }
    let file: OneFile;
    try {
      file = await opening;
    } catch (error) {
      if (this.#files.get(absolute) === opening) this.#files.delete(absolute);
      throw error;
    }
    file.use(options);
    let closed = false;
    return {
      write: (bytes) =>
        closed
          ? Promise.reject(new TypeError("The file was closed"))
          : file.write(bytes),
      close: async () => {
        if (closed) return;
        closed = true;
        if (!file.leave()) return;
        if (this.#files.get(absolute) === opening) this.#files.delete(absolute);
        await file.end();
      },
    };
  };

  /** Opens each file anew by its path, as somebody may have moved it away. One that can't be opened stays as it is. Never rejects. */
  async reopen(): Promise<void> {
    const opened = await Promise.allSettled(this.#files.values());
    await Promise.all(
      opened.map((result) =>
        result.status === "fulfilled" ? result.value.reopen() : undefined
      ),
    );
  }
}

/** One open file; its operations come one after another. */
class OneFile {
  readonly #path: string;
  readonly #log: Pick<Log, "error">;
  #file: Deno.FsFile;
  #size: number;
  #users = 0;
  #options: LineFileOptions = {};
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(
    path: string,
    log: Pick<Log, "error">,
    file: Deno.FsFile,
    size: number,
  ) {
    this.#path = path;
    this.#log = log;
    this.#file = file;
    this.#size = size;
  }

  static async open(path: string, log: Pick<Log, "error">): Promise<OneFile> {
    const { file, size } = await openToAppend(path);
    return new OneFile(path, log, file, size);
  }

  use(options: LineFileOptions): void {
    this.#users++;
    this.#options = options;
  }

  /** Whether nobody is left. */
  leave(): boolean {
    return --this.#users === 0;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#inTurn(async () => {
      const { maxBytes = Infinity } = this.#options;
      if (this.#size > 0 && this.#size + bytes.length > maxBytes) {
        const rotated = await this.#attempt("rotate", () => this.#rotate());
        // Not again with the next write, but after as many bytes.
        if (!rotated) this.#size = 0;
      }
      await this.#append(bytes);
      this.#size += bytes.length;
      return bytes.length;
    });
  }

  reopen(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#attempt("reopen", () => this.#openAnew());
    });
  }

  end(): Promise<void> {
    return this.#inTurn(() => Promise.resolve(this.#file.close()));
  }

  /** All of the bytes or, where they don't fit, none: a torn line would spoil the next one. */
  async #append(bytes: Uint8Array): Promise<void> {
    let written = 0;
    try {
      while (written < bytes.length) {
        const count = await this.#file.write(bytes.subarray(written));
        if (count === 0) throw new Deno.errors.WriteZero("No bytes taken");
        written += count;
      }
    } catch (error) {
      if (written > 0) {
        const { size } = await this.#file.stat();
        await this.#file.truncate(Math.max(0, size - written));
      }
      throw error;
    }
  }

  /** `access.log` becomes `access.log.1`, that `access.log.2`, and so on; the oldest goes. */
  async #rotate(): Promise<void> {
    const { keep = DEFAULT_KEEP } = this.#options;
    for (let number = keep; number > 0; number--) {
      const from = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
      await renameIfThere(from, `${this.#path}.${number}`);
    }
    if (keep === 0) {
      await this.#file.truncate(0);
      this.#size = 0;
      return;
    }
    await this.#openAnew();
  }

  async #openAnew(): Promise<void> {
    const { file, size } = await openToAppend(this.#path);
    this.#file.close();
    this.#file = file;
    this.#size = size;
  }

  /** Whether it was done; what fails leaves the file that is open in use. */
  async #attempt(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#log.error(`Cannot ${what} a log file`, { path: this.#path, error });
      return false;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }
}

const DEFAULT_KEEP = 5;

async function openToAppend(
  path: string,
): Promise<{ readonly file: Deno.FsFile; readonly size: number }> {
  const file = await Deno.open(path, { append: true, create: true });
  try {
    const { size } = await file.stat();
    return { file, size };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
