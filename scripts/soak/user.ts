/**
 * Users of the load: each does one kind of thing again and again, at its pace.
 *
 * @module
 */
import { type Target, UnexpectedError, WrongError } from "./client.ts";
import type { FaultTimes } from "./fault_times.ts";
import { isCut, NotHttpError } from "./message_stream.ts";
import type { Random } from "./random.ts";
import type { Tally } from "./tally.ts";

/** Where things are. */
export interface Places {
  readonly web: Target;
  /** TLS on Deno's own listener. */
  readonly denoTls: Target;
  /** TLS on node:tls. */
  readonly nodeTls: Target;
  readonly tcp: Target;
}

/** What an action has at hand. */
export interface Scene {
  readonly places: Places;
  readonly random: Random;
}

/** An action; the bytes that it compared. It throws a WrongError, an UnexpectedError, or what a connection throws. */
export type Action = () => Promise<number>;

/** A kind of traffic. */
export interface Kind {
  readonly name: string;
  readonly users: number;
  /** Actions of each user a second. */
  readonly rate: number;
  /** Whether the death of a backend may be seen. */
  readonly mortal?: boolean;
  /** Makes a user. What it returns ends what the user has open. */
  readonly user: (
    scene: Scene,
  ) => { readonly act: Action; readonly end?: () => void };
}

/** Milliseconds until what happened to backends is known here. */
const NEWS = 1_000;

/** What users are run by. */
export interface RunOptions {
  readonly places: Places;
  readonly random: Random;
  readonly tally: Tally;
  readonly faults: FaultTimes;
  /** All rates are multiplied by it. */
  readonly scale: number;
  readonly signal: AbortSignal;
}

/** An action takes no longer, in milliseconds: the slowest has 100 MB to read. */
const PATIENCE = 120_000;

/** Runs the users of a kind until the signal. */
export async function runKind(kind: Kind, options: RunOptions): Promise<void> {
  const { random, places } = options;
  await Promise.all(
    Array.from(
      { length: kind.users },
      () => runUser(kind, { places, random: random.fork() }, options),
    ),
  );
}

async function runUser(
  kind: Kind,
  scene: Scene,
  { tally, faults, scale, signal }: RunOptions,
): Promise<void> {
  const { name, mortal = false } = kind;
  const { act, end } = kind.user(scene);
  const interval = 1_000 / (kind.rate * scale);
  let due = performance.now() + interval * scene.random.next();
  while (true) {
    await pause(due - performance.now(), signal);
    if (signal.aborted) break;
    // Half an interval to one and a half; who is late does not catch up.
    due = Math.max(due, performance.now() - interval) +
      interval * (0.5 + scene.random.next());
    const began = Date.now();
    try {
      tally.done(name, await inTime(act()));
    } catch (thrown) {
      end?.();
      const text = `${thrown}`;
      if (thrown instanceof WrongError || thrown instanceof NotHttpError) {
        tally.fail(name, "wrong", text);
        continue;
      }
      if (!isCut(thrown) && !(thrown instanceof UnexpectedError)) throw thrown;
      const failed = Date.now();
      // The news of a death may come behind what it does.
      if (mortal) await pause(NEWS, signal);
      const explained = mortal && faults.explain(began, failed);
      tally.fail(name, explained ? "explained" : "unexplained", text);
    }
  }
  end?.();
}

async function inTime<T>(done: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new UnexpectedError(`Nothing within ${PATIENCE} ms`)),
      PATIENCE,
    );
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits, but not beyond the signal. */
export function pause(
  milliseconds: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const timer = setTimeout(over, Math.max(0, milliseconds));
    function over() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", over);
      resolve();
    }
    signal?.addEventListener("abort", over);
  });
}
