/**
 * `--watch`: the config file looked at again and again, and reloaded when its
 * text has changed.
 *
 * It is read, not watched through the system: so a file that is renamed into
 * place, written in place or reached through links that are swapped (the
 * `..data` of Kubernetes' volumes) is all the same, and so are file systems
 * that tell nothing of changes made elsewhere (NFS, overlays, mounts from a
 * host).
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";
import type { Log } from "../plugin.ts";
import type { ConfigSource } from "./load_candidate.ts";

/** How often the file is looked at, in milliseconds: a change is in use after two looks. */
export const WATCH_INTERVAL = 500;

/** For so many milliseconds a file may be away without a word: others replace it by removing it first. */
const AWAY = 5_000;

/** What a watch needs once something is loaded. */
export interface ConfigWatchOptions {
  /** Loads the config anew. What it rejects with was told by it. */
  readonly reload: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Watches one config file. */
export class ConfigWatch implements Disposable {
  /** What is to be loaded from: the watch knows by it what was loaded last, and by whom is all the same. */
  readonly source: ConfigSource;

  readonly #file: ConfigSource;
  #options: ConfigWatchOptions | undefined;
  #stop = () => {};
  /** What was read for the last load, also where that was refused. */
  #loaded: string | undefined;
  /** What the last look found where that is not loaded. */
  #found: string | undefined;
  /** Since when it can't be read, and whether that was told. */
  #away: { readonly since: number; told: boolean } | undefined;
  #looking: Promise<void> | undefined;

  constructor(file: ConfigSource) {
    this.#file = file;
    this.source = {
      path: file.path,
      baseDir: file.baseDir,
      read: async () => this.#loaded = await file.read(),
    };
  }

  /** Looks at the file from now on. */
  start(options: ConfigWatchOptions): void {
    this.#options = options;
    this.#stop = options.clock.every(WATCH_INTERVAL, () => {
      // One look at a time: a slow disk, or a reload that takes its time, must
      // not pile them up.
      this.#looking ??= this.#look().finally(() => this.#looking = undefined);
    });
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#options = undefined;
  }

  /** Resolves when no look is under way. */
  async settled(): Promise<void> {
    await this.#looking;
  }

  async #look(): Promise<void> {
    let text: string;
    try {
      text = await this.#file.read();
    } catch (error) {
      this.#found = undefined;
      this.#missed(error);
      return;
    }
    this.#away = undefined;
    // What is the same in two looks is written to its end.
    const settled = text === this.#found;
    this.#found = text === this.#loaded ? undefined : text;
    if (this.#found === undefined || !settled) return;
    this.#found = undefined;
    // It was disposed of where a look ended too late: who drains reloads nothing.
    await this.#options?.reload().catch(() => {});
  }

  #missed(error: unknown): void {
    if (this.#options === undefined) return;
    const { clock, log } = this.#options;
    this.#away ??= { since: clock.now(), told: false };
    if (this.#away.told || clock.now() - this.#away.since < AWAY) return;
    this.#away.told = true;
    log.warn("The config file can't be read: what it said last stays in use", {
      config: this.source.path,
      error,
    });
  }
}
