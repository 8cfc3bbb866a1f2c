/**
 * The host names of clusters with `dns: all`: asked for again when their TTL is
 * over; where other addresses came, the config in use is swapped for itself with
 * these.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import type { Clock } from "../net/clock.ts";
import type { FreshAddresses, Resolver } from "../net/resolver.ts";
import { within } from "../net/within.ts";
import type { CoreLog } from "../observe/log.ts";
import { expandNames, namesToExpand } from "./expand_names.ts";

/** What they need of the supervisor. */
export interface NamesOptions {
  readonly clock: Clock;
  readonly log: CoreLog;
  readonly resolver: Resolver;
  /** Swaps the config in use for itself, with the addresses that are known now. */
  readonly renew: () => Promise<void>;
}

/** A config with a backend per address, and what it was made with. */
export interface Expansion {
  readonly config: Config;
  readonly found: ReadonlyMap<string, Found>;
}

/** What is known of a name. */
interface Found extends FreshAddresses {
  /** Each once, in an order of their own: the resolver's changes with every answer. */
  readonly addresses: readonly string[];
  /** Why it could not be resolved; undefined where it could. */
  readonly failure: string | undefined;
}

/** A start or a reload waits so long for names that are not known yet, in milliseconds. */
const PATIENCE = 5_000;

/** A name that can't be resolved is asked for again after so many milliseconds. */
const RETRY = 5_000;

/** Swaps are so far apart, in milliseconds: a name that flaps must not keep all workers busy. */
const SWAP_INTERVAL = 5_000;

/** The names of the config in use. */
export class Names {
  readonly #options: NamesOptions;
  readonly #watches = new Map<string, NameWatch>();
  /** What the config in use was expanded with. */
  #used: ReadonlyMap<string, readonly string[]> = new Map();
  #lastSwap = -Infinity;
  #cancelSwap: (() => void) | undefined;
  #refused = false;
  #stopped = false;

  constructor(options: NamesOptions) {
    this.#options = options;
  }

  /**
   * A config that may come into use, with a backend for each address. Never
   * rejects: a name that can't be resolved has none. Names of the config in use
   * are not asked for anew.
   */
  async expand(config: Config): Promise<Expansion> {
    const names = [...namesToExpand(config)];
    const asked = new Map(
      await Promise.all(
        names.filter((name) => !this.#watches.has(name)).map(async (
          name,
        ): Promise<[string, Found]> => [name, await this.#find(name)]),
      ),
    );
    const found = new Map(names.map((name): [string, Found] => {
      const known = this.#watches.get(name)?.found ?? asked.get(name);
      return [name, known!];
    }));
    return {
      config: expandNames(config, (name) => found.get(name)!.addresses),
      found,
    };
  }

  /** The config that `expand` gave is in use now: its names are watched, others no longer. */
  commit({ found }: Expansion): void {
    if (this.#stopped) return;
    this.#used = new Map(
      Array.from(found, ([name, { addresses }]) => [name, addresses]),
    );
    for (const [name, watch] of this.#watches) {
      if (found.has(name)) continue;
      this.#watches.delete(name);
      watch.stop();
    }
    for (const [name, first] of found) {
      if (this.#watches.has(name)) continue;
      const changed = () => this.#swapSoon();
      const watch = new NameWatch(name, first, { ...this.#options, changed });
      this.#watches.set(name, watch);
    }
    // What came while the planes prepared themselves.
    this.#swapSoon();
  }

  /** Whether names have other addresses than the config in use was expanded with. */
  get changed(): boolean {
    return Array.from(this.#watches).some(([name, { found }]) =>
      !sameList(found.addresses, this.#used.get(name) ?? [])
    );
  }

  /** Ends all questions and swaps. */
  stop(): void {
    this.#stopped = true;
    this.#cancelSwap?.();
    this.#cancelSwap = undefined;
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
  }

  #swapSoon(): void {
    if (this.#stopped || this.#cancelSwap !== undefined || !this.changed) {
      return;
    }
    const { clock } = this.#options;
    const wait = Math.max(0, this.#lastSwap + SWAP_INTERVAL - clock.now());
    this.#cancelSwap = clock.after(wait, () => this.#swap());
  }

  async #swap(): Promise<void> {
    this.#cancelSwap = undefined;
    if (!this.changed) return;
    const { clock, log, renew } = this.#options;
    this.#lastSwap = clock.now();
    try {
      await renew();
      this.#refused = false;
    } catch (thrown) {
      if (!this.#refused) {
        log.error("The new addresses of names can't be used yet", {
          reason: thrown instanceof Error ? thrown.message : String(thrown),
        });
      }
      this.#refused = true;
    }
    this.#swapSoon();
  }

  async #find(name: string): Promise<Found> {
    const { clock, resolver } = this.#options;
    try {
      return await within(clock, PATIENCE, ask(name, resolver), () => ({
        addresses: [],
        // The answer may come at any time: the watch waits on for it.
        until: clock.now(),
        failure: `Cannot resolve ${name}: No answer within ${PATIENCE} ms`,
      }));
    } catch (thrown) {
      return {
        addresses: [],
        until: clock.now() + RETRY,
        failure: (thrown as Error).message,
      };
    }
  }
}

/** What a watch needs. */
interface WatchOptions extends Omit<NamesOptions, "renew"> {
  /** The name has other addresses now. */
  readonly changed: () => void;
}

/** One name, asked for again and again. */
class NameWatch {
  found: Found;
  readonly #name: string;
  readonly #options: WatchOptions;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(name: string, first: Found, options: WatchOptions) {
    this.#name = name;
    this.#options = options;
    this.found = first;
    if (first.failure !== undefined) {
      options.log.warn(
        "A name can't be resolved: it has no backends until it can",
        { name, reason: first.failure },
      );
    }
    this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #wait(): void {
    const { clock } = this.#options;
    const wait = this.found.until - clock.now();
    if (wait > 0) this.#cancel = clock.after(wait, () => this.#ask());
    else this.#ask();
  }

  async #ask(): Promise<void> {
    let found: Found;
    try {
      found = await ask(this.#name, this.#options.resolver);
    } catch (thrown) {
      found = {
        addresses: this.found.addresses,
        until: this.#options.clock.now() + RETRY,
        failure: (thrown as Error).message,
      };
    }
    if (this.#stopped) return;
    const before = this.found;
    this.found = found;
    this.#tell(before);
    this.#wait();
  }

  /** Says what is new. */
  #tell(before: Found): void {
    const { log, changed } = this.#options;
    const name = this.#name;
    const { addresses, failure } = this.found;
    if (failure !== undefined) {
      if (before.failure === undefined) {
        log.warn("A name can't be resolved any more: its last addresses stay", {
          name,
          addresses,
          reason: failure,
        });
      }
      return;
    }
    if (before.failure !== undefined) {
      log.info("A name can be resolved now", { name });
    }
    if (sameList(before.addresses, addresses)) return;
    log.info("The addresses of a name changed", {
      name,
      added: without(addresses, before.addresses),
      removed: without(before.addresses, addresses),
    });
    changed();
  }
}

/** The answer of now. Rejects with a ProxyError. */
async function ask(name: string, resolver: Resolver): Promise<Found> {
  const { addresses, until } = await resolver.resolveFresh(name);
  return {
    addresses: [...new Set(addresses)].sort(),
    until,
    failure: undefined,
  };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}

function without(
  all: readonly string[],
  others: readonly string[],
): readonly string[] {
  return all.filter((one) => !others.includes(one));
}
