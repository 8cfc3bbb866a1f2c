/**
 * The new process of an upgrade: finds the one that has its addresses, shares
 * them with it for a moment, and has it drain.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { ListenerConfig } from "../config/config.ts";
import { RefusedError } from "../data_plane/control.ts";
import type {
  TakeoverAnswer,
  TakeoverMessage,
  TakeoverStep,
} from "./hand_over.ts";
import { LineChannel } from "./line_channel.ts";
import { holdersOf } from "./listener_locks.ts";
import type { LockHolder } from "./lock_file.ts";
import { makeRunDir } from "./run_dir.ts";

/** How long an old process may take to answer, in milliseconds. */
const ANSWER_TIME = 10_000;

/** Why one can't be asked that has no socket to be asked at. */
const COMES_OR_GOES = "it starts or ends just now";

interface Predecessor {
  readonly holder: LockHolder;
  readonly channel: LineChannel;
}

/** The old processes, mostly one. */
export class Predecessors implements Disposable {
  /** Their control sockets. */
  readonly controls: ReadonlySet<string>;
  /** What sticky cookies are signed with there; undefined where there is nobody to take over from. */
  readonly secret: Uint8Array | undefined;
  readonly #all: readonly Predecessor[];

  private constructor(
    all: readonly Predecessor[],
    secret: Uint8Array | undefined,
  ) {
    this.#all = all;
    this.controls = new Set(all.map(({ holder }) => holder.control));
    this.secret = secret;
  }

  /** Those that have addresses of these listeners. Rejects with a {@linkcode RefusedError} where one of them can't hand over. */
  static async find(
    folder: string,
    listeners: readonly ListenerConfig[],
  ): Promise<Predecessors> {
    const all: Predecessor[] = [];
    let secret: Uint8Array | undefined;
    try {
      await makeRunDir(folder);
      for (const holder of await holdersOf(folder, listeners)) {
        const predecessor = { holder, channel: await connect(holder) };
        all.push(predecessor);
        const answer = await ask(predecessor, "hello");
        if (answer === undefined) throw refusal(holder, COMES_OR_GOES);
        secret ??= new Uint8Array(Buffer.from(answer.secret!, "base64"));
      }
    } catch (thrown) {
      for (const { channel } of all) channel[Symbol.dispose]();
      if (thrown instanceof RefusedError) throw thrown;
      throw new RefusedError([
        `Cannot take over: ${(thrown as Error).message}`,
      ]);
    }
    return new Predecessors(all, secret);
  }

  /** Their process ids. */
  get pids(): number[] {
    return this.#all.map(({ holder }) => holder.pid);
  }

  /** Has them let go of the admin address; those that are gone have. Rejects with a {@linkcode RefusedError}. */
  async releaseAdmin(): Promise<void> {
    await Promise.all(this.#all.map((one) => ask(one, "release-admin")));
  }

  /** Has them drain: there is no way back. Of those that are gone nothing is wanted. Rejects with a {@linkcode RefusedError}. */
  async drain(): Promise<void> {
    await Promise.all(this.#all.map((one) => ask(one, "drain")));
  }

  /** They are asked nothing more: those that were not told to drain go on. */
  [Symbol.dispose](): void {
    for (const { channel } of this.#all) channel[Symbol.dispose]();
  }
}

async function connect(holder: LockHolder): Promise<LineChannel> {
  try {
    return new LineChannel(
      await Deno.connect({ transport: "unix", path: holder.control }),
    );
  } catch {
    // Refused, or its socket is not there.
    throw refusal(holder, COMES_OR_GOES);
  }
}

/** Its answer; undefined where it is gone. */
async function ask(
  { holder, channel }: Predecessor,
  step: TakeoverStep,
): Promise<TakeoverAnswer | undefined> {
  // Closing ends the wait: what comes then is no answer.
  const timer = setTimeout(() => channel[Symbol.dispose](), ANSWER_TIME);
  const answer = await exchange(channel, step);
  clearTimeout(timer);
  if (answer === undefined && await listens(holder)) {
    throw refusal(holder, "it does not answer");
  }
  if (answer?.refused !== undefined) throw refusal(holder, answer.refused);
  return answer;
}

/** Undefined where the other end is closed. */
async function exchange(
  channel: LineChannel,
  step: TakeoverStep,
): Promise<TakeoverAnswer | undefined> {
  try {
    await channel.send({ step, pid: Deno.pid } satisfies TakeoverMessage);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.BrokenPipe) return undefined;
    throw thrown;
  }
  return await channel.receive() as TakeoverAnswer | undefined;
}

/** Whether it can still be asked to hand over: its socket is the last that it lets go of. */
async function listens(holder: LockHolder): Promise<boolean> {
  try {
    (await connect(holder))[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

function refusal({ pid }: LockHolder, reason: string): RefusedError {
  return new RefusedError([`Cannot take over from process ${pid}: ${reason}`]);
}
