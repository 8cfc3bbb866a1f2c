/**
 * The search for another backend: at once, then again and again with growing
 * pauses until one is found or the client has been held long enough.
 *
 * @module
 */
import type { Clock } from "../net/clock.ts";
import { ProxyError } from "../errors.ts";
import type { Dialled } from "./backend_side.ts";
import type { DialRequest } from "./session_owner.ts";
import type { Turnstile } from "./turnstile.ts";

/** Why a dial brought no connection. */
export class DialRefusal extends Error {
  override readonly name = "DialRefusal";
  /** Whether a backend refused this very client: no other one is to be asked. */
  readonly declined: boolean;

  constructor(
    message: string,
    options: ErrorOptions & { readonly declined: boolean },
  ) {
    super(message, options);
    this.declined = options.declined;
  }
}

/** What a search goes by. */
export interface RedialOptions {
  readonly clock: Clock;
  /** Each dial, and what follows it, has its turn. */
  readonly turnstile: Turnstile;
  /** When it must have come to its end, by the clock's monotonic time. */
  readonly until: number;
  /** How often in a row a backend was lost as soon as it was there: from the second time on the first dial waits, too. */
  readonly flaps: number;
  /** The backend that is left: asked only where no other one could be had. */
  readonly leaving: string;
  /** One try, with nobody but others. */
  readonly once: boolean;
  readonly dial: (
    request: Omit<DialRequest, "replayed">,
  ) => Promise<Dialled>;
  /** A pause begins or ends. */
  readonly onHold: (holding: boolean) => void;
  readonly onDialled: (dialled: Dialled) => void;
  readonly onFailed: (refusal: DialRefusal) => void;
}

/** The first pause, in milliseconds; each one is longer by half, up to the last. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 2_000;

/** One search; it tells its end once, but for a `cancel`. */
export class Redial {
  readonly leaving: string;
  readonly #options: RedialOptions;
  readonly #controller = new AbortController();
  #pause = FIRST_PAUSE;
  #wake: (() => void) | undefined;

  constructor(options: RedialOptions) {
    this.leaving = options.leaving;
    this.#options = options;
  }

  /** Begins. */
  start(): void {
    this.#search();
  }

  /** Nobody wants a backend any more: a connection that still comes is ended. */
  cancel(): void {
    this.#controller.abort();
    this.#wake?.();
  }

  /** Ends a pause. */
  hurry(): void {
    this.#wake?.();
  }

  async #search(): Promise<void> {
    const { signal } = this.#controller;
    const { dial, once, flaps, until, clock, turnstile } = this.#options;
    const { onDialled, onFailed } = this.#options;
    let leaving: string | undefined = this.leaving;
    if (flaps > 1) {
      for (let i = 2; i < flaps; i++) this.#lengthen();
      const left = until - clock.now();
      if (left <= 0) {
        onFailed(FLAPPING);
        return;
      }
      if (!await this.#hold(left)) return;
    }
    for (;;) {
      let refusal: DialRefusal;
      const turn = turnstile.enter();
      if (turn !== undefined) await turn;
      try {
        if (signal.aborted) return;
        const dialled = await dial({ leaving, signal });
        if (signal.aborted) dialled.link.abort(CANCELLED);
        else onDialled(dialled);
        return;
      } catch (thrown) {
        refusal = asRefusal(thrown);
      } finally {
        turnstile.leave();
      }
      if (signal.aborted) return;
      const left = until - clock.now();
      if (once || refusal.declined || left <= 0) {
        onFailed(refusal);
        return;
      }
      if (!await this.#hold(left)) return;
      this.#lengthen();
      leaving = undefined;
    }
  }

  /** Pauses for at most so many milliseconds; false where nobody wants a backend any more. */
  async #hold(left: number): Promise<boolean> {
    const { onHold } = this.#options;
    onHold(true);
    await this.#wait(Math.min(this.#pause, left));
    if (this.#controller.signal.aborted) return false;
    onHold(false);
    return true;
  }

  #lengthen(): void {
    this.#pause = Math.min(this.#pause * 1.5, LONGEST_PAUSE);
  }

  async #wait(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(milliseconds, resolve);
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
    cancel();
  }
}

function asRefusal(thrown: unknown): DialRefusal {
  if (thrown instanceof DialRefusal) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new DialRefusal(message, { declined: false, cause: thrown });
}

const FLAPPING = new DialRefusal(
  "Backends drop the session as soon as they take it",
  { declined: false },
);

const CANCELLED = new ProxyError(
  "client_closed",
  "Nobody wants the connection any more",
);
