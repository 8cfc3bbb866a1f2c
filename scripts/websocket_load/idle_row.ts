/**
 * What an idle session costs in memory.
 *
 * @module
 */
import { openWebSocket } from "./opening.ts";
import type { Peer, PeerEvents } from "./peer.ts";
import type { RelayTarget } from "./relay_targets.ts";
import { residentBytes } from "../process_stat.ts";

/** Resident KB (of 1,024 bytes) per session. */
export interface IdleFigures {
  readonly target: string;
  /** It has carried nothing yet. */
  readonly fresh: number;
  /** It has carried a message of 64 bytes, there and back. */
  readonly small: number;
  /** It has carried one of 16 KB, too. */
  readonly large: number;
}

/** The goal, in KB for each of them. */
export const IDLE_GOAL = 24;

/** wsbalancer's figures. */
export const IDLE_WSBALANCER = {
  fresh: "28-29",
  small: "34-36",
  large: "44-46",
};

const SESSIONS = 2_000;

/** Opened and ended before: what the first ones cost is the program, not the session. */
const WARM_UP = 200;

/** Rest before memory is read, in milliseconds. */
const REST = 2_000;

/** Opens 2,000 sessions and lets them rest. */
export async function runIdle(
  target: RelayTarget & { readonly pid: number },
): Promise<IdleFigures> {
  const first = await openAll(target.port, WARM_UP);
  await askAll(first, 64);
  await closeAll(first);
  await delay(REST);
  const before = await residentBytes(target.pid);
  const perSession = async () => {
    await delay(REST);
    const grown = await residentBytes(target.pid) - before;
    return grown / SESSIONS / 1024;
  };
  const clients = await openAll(target.port, SESSIONS);
  const fresh = await perSession();
  await askAll(clients, 64);
  const small = await perSession();
  await askAll(clients, 16 << 10);
  const large = await perSession();
  await closeAll(clients);
  return { target: target.name, fresh, small, large };
}

async function openAll(port: number, count: number): Promise<IdleClient[]> {
  const clients: IdleClient[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(new IdleClient(await openWebSocket(port, `/${i + 1}`)));
  }
  return clients;
}

/** One after another: a burst would measure itself. */
async function askAll(
  clients: readonly IdleClient[],
  size: number,
): Promise<void> {
  for (const client of clients) await client.ask(size);
}

async function closeAll(clients: readonly IdleClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
}

/** A client that says something now and then. */
class IdleClient implements PeerEvents {
  readonly #peer: Peer;
  readonly #run: Promise<void>;
  #answered: PromiseWithResolvers<void> | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
    this.#run = this.#read();
  }

  /** Sends so many bytes and waits until they are back. */
  async ask(size: number): Promise<void> {
    this.#answered = Promise.withResolvers<void>();
    const message = new Uint8Array(size).fill(0x78);
    this.#peer.send(1, message, 0, size);
    this.#peer.flush();
    await Promise.race([this.#answered.promise, this.#lost()]);
  }

  async close(): Promise<void> {
    await this.#peer.close(1000, "");
    await this.#run;
  }

  message(): void {
    this.#answered?.resolve();
  }

  ping(payload: Uint8Array): void {
    this.#peer.pong(payload);
    this.#peer.flush();
  }

  batchEnd(): undefined {}

  async #read(): Promise<void> {
    await this.#peer.run(this);
  }

  async #lost(): Promise<never> {
    await this.#run;
    throw new Error("A client lost its connection");
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
