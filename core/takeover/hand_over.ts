/**
 * The old process of an upgrade: hands its addresses over to a new one that asks
 * for them, and drains. The steps are the new one's; where that is gone before
 * the last, this one goes on as if nothing had been asked.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { dirname, join } from "node:path";
import { removeStale } from "../listener/bind.ts";
import type { Clock, Log } from "../plugin.ts";
import { LineChannel } from "./line_channel.ts";

/** What the new process says. */
export type TakeoverStep = "hello" | "release-admin" | "drain";

/** What it says it with. */
export interface TakeoverMessage {
  readonly step: TakeoverStep;
  /** The new process. */
  readonly pid: number;
}

/** What it is answered. */
export interface TakeoverAnswer {
  /** Why it can't be; undefined where it is done. */
  readonly refused?: string;
  /** To hello: what sticky cookies are signed with, in base64. */
  readonly secret?: string;
}

/** What is handed over. */
export interface HandOverParts {
  /** The control socket's path. */
  readonly path: string;
  /** Why nothing can be handed over now; undefined where it can. */
  readonly problem: () => string | undefined;
  /** What sticky cookies are signed with. */
  readonly secret: Uint8Array;
  /** Lets go of the admin address. */
  readonly releaseAdmin: () => Promise<void>;
  /** Takes it again, as the new process did not. */
  readonly restoreAdmin: () => Promise<void>;
  /** Takes its addresses again, where the new process had them already. */
  readonly restoreAddresses: () => Promise<void>;
  /** Begins to drain. */
  readonly drain: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** A control socket of this process in the folder: another path each time. */
export function controlPath(folder: string): string {
  const random = crypto.getRandomValues(new Uint32Array(1))[0]!;
  return join(folder, `${Deno.pid}-${random.toString(36)}.sock`);
}

/**
 * How long both serve before the old one drains, in milliseconds: as long as the
 * new one's first requests keep the machine busy, more connections are lost when
 * a socket closes (6 in 100 takeovers, with this wait 1 in 60; measured).
 */
const TOGETHER = 400;

/** Waits for new processes until it is disposed of. */
export class HandOver implements AsyncDisposable {
  readonly #parts: HandOverParts;
  readonly #listener: Deno.UnixListener;
  readonly #channels = new Set<LineChannel>();
  readonly #done: Promise<void>;
  /** One new process at a time. */
  #busy = false;
  #closed = false;

  private constructor(parts: HandOverParts, listener: Deno.UnixListener) {
    this.#parts = parts;
    this.#listener = listener;
    this.#done = this.#accept();
  }

  /** Listens. Rejects where the socket can't be bound. */
  static async listen(parts: HandOverParts): Promise<HandOver> {
    const { path } = parts;
    await removeStaleSockets(dirname(path));
    return new HandOver(parts, Deno.listen({ transport: "unix", path }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    for (const channel of this.#channels) channel[Symbol.dispose]();
    await this.#done;
    await Deno.remove(this.#parts.path).catch(ignoreMissing);
  }

  async #accept(): Promise<void> {
    const served: Promise<void>[] = [];
    try {
      for await (const conn of this.#listener) {
        served.push(this.#serve(new LineChannel(conn)));
      }
    } finally {
      await Promise.all(served);
    }
  }

  async #serve(channel: LineChannel): Promise<void> {
    const { log } = this.#parts;
    this.#channels.add(channel);
    try {
      await this.#follow(channel);
    } catch (error) {
      log.warn("A takeover failed", { error });
    } finally {
      this.#channels.delete(channel);
      channel[Symbol.dispose]();
    }
  }

  async #follow(channel: LineChannel): Promise<void> {
    const { problem, secret, log } = this.#parts;
    const hello = await channel.receive() as TakeoverMessage | undefined;
    if (hello?.step !== "hello") return;
    const { pid } = hello;
    const refused = this.#busy
      ? "another process takes over already"
      : problem();
    if (refused !== undefined) {
      await answer(channel, { refused });
      return;
    }
    this.#busy = true;
    log.info("Another process is about to take over", { pid });
    const steps = new HandOverSteps(this.#parts);
    try {
      await answer(channel, {
        secret: Buffer.from(secret).toString("base64"),
      });
      while (!steps.drains) {
        const message = await channel.receive() as TakeoverMessage | undefined;
        if (message === undefined) break;
        if (message.step === "release-admin") await steps.releaseAdmin();
        await answer(channel, {});
        // Only now: the end of this process must not come before its answer.
        if (message.step === "drain") steps.drain(pid);
      }
    } finally {
      this.#busy = false;
      if (!steps.drains && !this.#closed) await steps.takeBack(pid);
    }
  }
}

/** How far a hand-over is. */
class HandOverSteps {
  /** There is no way back. */
  drains = false;
  readonly #parts: HandOverParts;
  #adminReleased = false;

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  async releaseAdmin(): Promise<void> {
    this.#adminReleased = true;
    await this.#parts.releaseAdmin();
  }

  drain(pid: number): void {
    this.drains = true;
    this.#parts.log.info("Another process has taken over: draining", { pid });
    this.#parts.clock.after(TOGETHER, () => this.#parts.drain());
  }

  /** The new process is gone. */
  async takeBack(pid: number): Promise<void> {
    const { log, restoreAdmin, restoreAddresses } = this.#parts;
    log.warn("The process that wanted to take over is gone: going on", { pid });
    await Promise.all([
      restoreAddresses(),
      this.#adminReleased && restoreAdmin(),
    ]);
  }
}

/** Removes what processes left that ended badly. */
async function removeStaleSockets(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".sock")) await removeStale(join(folder, name));
  }
}

async function answer(
  channel: LineChannel,
  message: TakeoverAnswer,
): Promise<void> {
  await channel.send(message);
}

function ignoreMissing(thrown: unknown): void {
  if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
}
