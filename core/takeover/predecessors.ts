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

  /** Has them let go of the admin address. Rejects with a {@linkcode RefusedError}. */
  async releaseAdmin(): Promise<void> {
    await Promise.all(this.#all.map((one) => ask(one, "release-admin")));
  }

  /** Has them drain: there is no way back. Rejects with a {@linkcode RefusedError}. */
  async drain(): Promise<void> {
    await Promise.all(this.#all.map((one) => ask(one, "drain")));
  }

  /** They are asked nothing more: those that were not told to drain go on. */
  [Symbol.dispose](): void {
    for (const { channel } of this.#all) channel[Symbol.dispose]();
  }
}

async function connect({ pid, control }: LockHolder): Promise<LineChannel> {
  try {
    return new LineChannel(
      await Deno.connect({ transport: "unix", path: control }),
    );
  } catch {
    // Refused, or its socket is not there.
    throw new RefusedError([
      `Cannot take over from process ${pid}: it starts or ends just now`,
    ]);
  }
}

async function ask(
  { holder: { pid }, channel }: Predecessor,
  step: TakeoverStep,
): Promise<TakeoverAnswer> {
  await channel.send({ step, pid: Deno.pid } satisfies TakeoverMessage);
  // Closing ends the wait: what comes then is no answer.
  const timer = setTimeout(() => channel[Symbol.dispose](), ANSWER_TIME);
  const answer = await channel.receive() as TakeoverAnswer | undefined;
  clearTimeout(timer);
  const reason = answer === undefined ? "it does not answer" : answer.refused;
  if (reason !== undefined) {
    throw new RefusedError([
      `Cannot take over from process ${pid}: ${reason}`,
    ]);
  }
  return answer!;
}
