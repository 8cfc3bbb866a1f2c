/**
 * The sessions of a data plane from their accept to their end: counted, drained,
 * cut where they outlast a drain.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { Roster } from "../net/roster.ts";
import { within } from "../net/within.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { Session } from "../session/session.ts";
import { Refusals } from "./refusals.ts";
import type { Tally } from "./tally.ts";

/** What the open sessions of a plane need of it. */
export interface OpenSessionsOptions {
  readonly env: PlaneEnv;
  /** Where they are counted. */
  readonly tally: Tally;
  /** Ends those that can be told so in order; which these are. */
  readonly closeInOrder: () => ReadonlySet<Session>;
}

/** Sessions that are cut have so long to unwind, in milliseconds: a handler may hear of nothing. */
const CUT_GRACE = 1_000;

/** The open sessions of one data plane. */
export class OpenSessions implements Iterable<Session> {
  readonly #options: OpenSessionsOptions;
  readonly #refusals: Refusals;
  readonly #all = new Roster<Session>();
  /** Resolves when none is left; undefined while nobody waits for that. */
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: OpenSessionsOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.env);
    options.env.metrics.sessionsOpen.collect(() => this.size);
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** All that are there, also where some leave meanwhile. */
  [Symbol.iterator](): Iterator<Session> {
    return this.#all[Symbol.iterator]();
  }

  /** One is there. */
  add(session: Session): void {
    this.#all.add(session);
    this.#options.tally.sessions = this.#all.size;
    this.#options.env.metrics.sessions.series(session.listener).add();
  }

  /** It is over. */
  delete(session: Session): void {
    this.#all.delete(session);
    this.#options.tally.sessions = this.#all.size;
    if (session.error !== undefined) {
      this.#refusals.note(session, session.error);
    }
    if (this.#all.size > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  /** Those that `ends` means end after their current transaction. */
  drain(ends: (session: Session) => boolean = () => true): void {
    for (const session of this) {
      if (ends(session)) session.drain();
    }
  }

  /** Resolves when none is left; after so many milliseconds those that are left are cut. */
  async over(timeout: number): Promise<void> {
    if (this.size === 0) return;
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const { clock } = this.#options.env;
    let cancel = clock.after(timeout, () => {
      this.#cut(this.#options.closeInOrder());
      cancel = clock.after(CUT_GRACE, () => {
        this.#cut(new Set());
        resolve();
      });
    });
    await Promise.race([this.#whenIdle(), enough]);
    cancel();
  }

  /** Ends every one now; resolves when they have unwound, or had the time to. */
  async cut(): Promise<void> {
    this.#cut(new Set());
    if (this.size === 0) return;
    const { clock } = this.#options.env;
    await within(clock, CUT_GRACE, this.#whenIdle(), () => {});
  }

  #whenIdle(): Promise<void> {
    this.#idle ??= Promise.withResolvers();
    return this.#idle.promise;
  }

  #cut(told: ReadonlySet<Session>): void {
    const reason = new ProxyError("shutting_down", "The proxy shuts down");
    for (const session of this) {
      if (!told.has(session)) session.abort(reason);
    }
  }
}
