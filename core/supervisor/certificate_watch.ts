/**
 * Certificates while they are in use: reread when their files change, and told
 * of before they expire.
 *
 * @module
 */
import {
  checkListenerTls,
  type ListenerFiles,
} from "../config/check_listener_tls.ts";
import type { Config } from "../config/config.ts";
import { formatPath } from "../config/problem.ts";
import type { Clock } from "../net/clock.ts";
import type { GaugeFamily } from "../observe/metrics.ts";
import type { Log } from "../plugin.ts";
import { expiriesOf, type Expiry } from "../tls/expiry.ts";

/** How often files are looked at, in milliseconds, unless said otherwise. */
export const DEFAULT_INTERVAL = 5_000;

const DAY = 86_400_000;

/** From so many milliseconds before a certificate's end on, it is told of once a day. */
const WARN_AHEAD = 21 * DAY;

/** What is in use. */
export interface TlsInUse {
  readonly config: Config;
  readonly files: ListenerFiles;
}

/** What a watch needs. */
export interface CertificateWatchOptions {
  /** What is in use now; undefined before the first config. */
  readonly current: () => TlsInUse | undefined;
  /** Has `files` used in place of those of `current`, unless that has changed meanwhile. */
  readonly renew: (current: TlsInUse, files: ListenerFiles) => Promise<void>;
  /** Where a path of the config leads. */
  readonly resolve: (path: string) => string;
  readonly expiry: GaugeFamily<readonly ["name"]>;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds between two looks. */
  readonly interval: number;
}

/** Watches the files of the config in use. */
export class CertificateWatch implements Disposable {
  readonly #options: CertificateWatchOptions;
  readonly #stop: () => void;
  /** What the files looked like when those in use were last read. */
  #seen = "";
  /** Files that can't be used, or could not, as they were found before. */
  #bad = "";
  /** Whether that was told. */
  #told = false;
  #looking: Promise<void> | undefined;
  /** When each certificate was last told of, by its fingerprint. */
  readonly #warned = new Map<string, number>();

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
    const tick = () => {
      this.warn();
      // One look at a time: a slow disk must not pile them up.
      this.#looking ??= this.look().finally(() => this.#looking = undefined);
    };
    this.#stop = options.clock.every(options.interval, tick);
    this.warn();
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  /** Resolves when no look is under way. */
  async settled(): Promise<void> {
    await this.#looking;
  }

  /** Rereads the files where they have changed, and has them used where they can be. */
  async look(): Promise<void> {
    const { current, resolve, clock, log } = this.#options;
    const inUse = current();
    if (inUse === undefined) return;
    const signature = await signatureOf(Object.keys(inUse.files), resolve);
    if (signature === this.#seen) return;
    const { files, findings } = await checkListenerTls(inUse.config, {
      readFile: (path) => Deno.readTextFile(resolve(path)),
      now: clock.wall(),
    });
    if (findings.length === 0) {
      // Only what is in use was seen to its end: a config that was on its way
      // has the old ones, and what fails now may be done at the next look.
      if (sameFiles(files, inUse.files)) this.#seen = signature;
      else await this.#renew(inUse, files, signature);
      return;
    }
    // A certificate and its key are seldom written at once: what is wrong now
    // may be right at the next look.
    if (signature !== this.#bad) {
      this.#bad = signature;
      this.#told = false;
    } else if (!this.#told) {
      this.#told = true;
      log.error("The new certificates can't be used: the old ones stay", {
        problems: findings.map(({ path, value, message }) =>
          `${formatPath(path)} ${value}: ${message}`
        ),
      });
    }
  }

  async #renew(
    inUse: TlsInUse,
    files: ListenerFiles,
    signature: string,
  ): Promise<void> {
    try {
      await this.#options.renew(inUse, files);
      this.#bad = "";
    } catch (error) {
      const known = signature === this.#bad && this.#told;
      this.#bad = signature;
      this.#told = true;
      if (known) return;
      this.#options.log.error(
        "The new certificates can't be used: the old ones stay",
        { error },
      );
    }
  }

  /** Sets the metric. */
  measure(): void {
    const { expiry, clock } = this.#options;
    const now = clock.wall();
    const first = new Map<string, number>();
    for (const { name, notAfter } of this.#expiries()) {
      first.set(name, Math.min(first.get(name) ?? Infinity, notAfter));
    }
    for (const { labels } of expiry.read().series) {
      const [name = ""] = labels;
      if (!first.has(name)) expiry.delete(name);
    }
    for (const [name, notAfter] of first) {
      expiry.series(name).set((notAfter - now) / 1_000);
    }
  }

  /** Tells of certificates whose end is near, each once a day. */
  warn(): void {
    const { clock, log } = this.#options;
    const now = clock.wall();
    for (const { name, fingerprint, notAfter } of this.#expiries()) {
      if (notAfter - now > WARN_AHEAD) continue;
      if (now - (this.#warned.get(fingerprint) ?? -Infinity) < DAY) continue;
      this.#warned.set(fingerprint, now);
      log.warn(
        notAfter < now
          ? "A certificate has expired"
          : "A certificate expires soon",
        { name, expires: new Date(notAfter).toISOString() },
      );
    }
  }

  #expiries(): readonly Expiry[] {
    const inUse = this.#options.current();
    return inUse === undefined ? [] : expiriesOf(inUse.config, inUse.files);
  }
}

/** What of the files shows that one may have changed: reading them all each time would cost more. */
async function signatureOf(
  paths: readonly string[],
  resolve: (path: string) => string,
): Promise<string> {
  const parts = await Promise.all(paths.map(async (path) => {
    try {
      const { mtime, size, ino } = await Deno.stat(resolve(path));
      return `${mtime?.getTime()} ${size} ${ino}`;
    } catch (thrown) {
      return thrown instanceof Error ? thrown.name : String(thrown);
    }
  }));
  return parts.join();
}

function sameFiles(a: ListenerFiles, b: ListenerFiles): boolean {
  const paths = Object.keys(a);
  return paths.length === Object.keys(b).length &&
    paths.every((path) => a[path] === b[path]);
}
