/**
 * Active checks of all backends, once per process: each backend has a beat of
 * its own, so that they don't come in bursts.
 *
 * @module
 */
import type { HealthConfig } from "../config/config_health.ts";
import type { Clock } from "../net/clock.ts";
import type { BackendHealth } from "./backend_health.ts";

/** One check: resolves to undefined where the backend is well, else to why it is not. Never rejects; when `signal` fires it ends soon. */
export type RunCheck<Target> = (
  target: Target,
  config: HealthConfig,
  signal: AbortSignal,
) => Promise<string | undefined>;

/** A backend to be checked. */
export interface Checked<Target> {
  /** What tells it from others over reloads. */
  readonly key: string;
  readonly health: BackendHealth;
  /** Where it is and how to talk to it. */
  readonly target: Target;
  readonly config: HealthConfig;
}

/** How the last check of a backend went. */
export interface CheckResult {
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds that it took. */
  readonly duration: number;
  /** Why it failed; undefined where it did not. */
  readonly failure: string | undefined;
}

/** What a checker needs. */
export interface CheckerOptions<Target> {
  readonly clock: Clock;
  readonly run: RunCheck<Target>;
  /** From 0 to 1; `Math.random`. */
  readonly random?: () => number;
}

/** First checks are spread over the interval, but over no more than this, in milliseconds. */
const LONGEST_WAIT = 5_000;

/** Part of the interval that a check may come early or late. */
const JITTER = 0.1;

/** Checks whatever it was given last. */
export class Checker<Target> {
  readonly #options: CheckerOptions<Target>;
  readonly #checks = new Map<string, BackendCheck<Target>>();

  constructor(options: CheckerOptions<Target>) {
    this.#options = options;
  }

  /** From now on these are checked; what is known of those that stay is kept. */
  update(all: readonly Checked<Target>[]): void {
    const keys = new Set(all.map(({ key }) => key));
    for (const [key, check] of this.#checks) {
      if (keys.has(key)) continue;
      this.#checks.delete(key);
      check.stop();
    }
    for (const one of all) {
      const known = this.#checks.get(one.key);
      if (known === undefined) {
        this.#checks.set(one.key, new BackendCheck(one, this.#options));
      } else known.update(one);
    }
  }

  /** An operator put a backend back to work: it is checked at once, and that result decides. */
  recheck(key: string): void {
    this.#checks.get(key)?.recheck();
  }

  /** How its last check went; undefined where there was none. */
  last(key: string): CheckResult | undefined {
    return this.#checks.get(key)?.last;
  }

  /** Ends all checks. */
  stop(): void {
    this.update([]);
  }
}

/** The checks of one backend. */
class BackendCheck<Target> {
  last: CheckResult | undefined;
  readonly #options: CheckerOptions<Target>;
  #checked: Checked<Target>;
  /** Results in a row. */
  #good = 0;
  #bad = 0;
  /** Nothing is known of it yet: the first result decides. */
  #fresh = true;
  #cancel: () => void = () => {};
  #running: AbortController | undefined;

  constructor(checked: Checked<Target>, options: CheckerOptions<Target>) {
    this.#checked = checked;
    this.#options = options;
    this.#startSoon();
  }

  update(checked: Checked<Target>): void {
    const before = this.#checked;
    this.#checked = checked;
    if (
      same(before.config, checked.config) && same(before.target, checked.target)
    ) {
      return;
    }
    this.#abandon();
    this.#startSoon();
  }

  recheck(): void {
    this.#abandon();
    this.#forget();
    this.#run();
  }

  stop(): void {
    this.#abandon();
  }

  #startSoon(): void {
    const { interval } = this.#checked.config;
    this.#wait(this.#random() * Math.min(interval, LONGEST_WAIT));
  }

  #wait(milliseconds: number): void {
    this.#cancel = this.#options.clock.after(milliseconds, () => this.#run());
  }

  /** Ends what waits or runs. */
  #abandon(): void {
    this.#cancel();
    this.#running?.abort();
    this.#running = undefined;
  }

  get #isOff(): boolean {
    return this.#checked.health.state === "maintenance";
  }

  #forget(): void {
    this.#good = this.#bad = 0;
    this.#fresh = true;
  }

  async #run(): Promise<void> {
    const { target, config } = this.#checked;
    if (this.#isOff) {
      this.#forget();
      this.#wait(this.#interval());
      return;
    }
    const { clock, run } = this.#options;
    const running = this.#running = new AbortController();
    const at = clock.wall();
    const started = clock.now();
    const failure = await run(target, config, running.signal);
    if (this.#running !== running) return;
    this.#running = undefined;
    const duration = clock.now() - started;
    this.last = { at, duration, failure };
    // Meanwhile an operator may have switched checks off.
    if (!this.#isOff) this.#judge(failure);
    this.#wait(Math.max(0, this.#interval() - duration));
  }

  #judge(failure: string | undefined): void {
    const { health, config: { rise, fall } } = this.#checked;
    const fresh = this.#fresh;
    this.#fresh = false;
    if (failure === undefined) {
      this.#bad = 0;
      this.#good++;
      if (fresh || this.#good >= rise) {
        const cause = fresh
          ? "The first check was good"
          : `${this.#good} good checks in a row`;
        health.setChecked(true, cause);
      }
    } else {
      this.#good = 0;
      this.#bad++;
      if (fresh || this.#bad >= fall) {
        const cause = fresh
          ? `The first check failed: ${failure}`
          : `${this.#bad} failed checks in a row, the last one: ${failure}`;
        health.setChecked(false, cause);
      }
    }
  }

  /** Milliseconds to the next check: half as long while the next results may turn it. */
  #interval(): number {
    const { health, config: { interval } } = this.#checked;
    const turning = health.checkedUp ? this.#bad > 0 : this.#good > 0;
    const jitter = 1 + JITTER * (2 * this.#random() - 1);
    return (turning ? interval / 2 : interval) * jitter;
  }

  #random(): number {
    return (this.#options.random ?? Math.random)();
  }
}

/** Both are plain data, of one shape. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
