/**
 * Clients that have messages sent back: as fast as they come, or paced.
 *
 * @module
 */
import { readDigits, writeDigits } from "./message.ts";
import { openWebSocket } from "./opening.ts";
import type { Peer, PeerEvents } from "./peer.ts";

/** A load, on 50 sessions. */
export interface RelayLoad {
  /** Bytes of each message. */
  readonly size: number;
  /** Messages of a session under way at once, or how many it sends per second. */
  readonly pace: { readonly inFlight: number } | { readonly perSecond: number };
}

/** What a window of a load showed. */
export interface RelayWindow {
  /** Messages that went through, both directions together. */
  readonly relayed: number;
  readonly seconds: number;
  /** Round trips in milliseconds, ascending. */
  readonly roundTrips: Float64Array;
}

const SESSIONS = 50;

/** Digits of 7 bits of a moment in microseconds. */
const MOMENT = 7;

/** Round trips that are kept at most: beyond, the earliest ones stand for all. */
const MAX_ROUND_TRIPS = 1 << 21;

/** The clients of a load. */
export class RelayClients implements AsyncDisposable {
  readonly #clients: RelayClient[] = [];
  readonly #load: RelayLoad;
  readonly #tally = new Tally();
  #pacing: Promise<void> | undefined;
  #over = false;

  private constructor(load: RelayLoad) {
    this.#load = load;
  }

  /** Connects all and begins. */
  static async start(port: number, load: RelayLoad): Promise<RelayClients> {
    const clients = new RelayClients(load);
    for (let i = 0; i < SESSIONS; i++) {
      const peer = await openWebSocket(port, `/${i + 1}`);
      clients.#clients.push(new RelayClient(peer, load, clients.#tally));
    }
    clients.#begin();
    return clients;
  }

  /** Counts for so many seconds. Rejects where a client was lost. */
  async measure(seconds: number): Promise<RelayWindow> {
    const tally = this.#tally;
    tally.clear();
    const start = performance.now();
    await delay(seconds * 1_000);
    if (this.#clients.some(({ ended }) => ended)) {
      throw new Error("A client lost its connection");
    }
    return {
      relayed: 2 * tally.count,
      seconds: (performance.now() - start) / 1_000,
      roundTrips: tally.sorted(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#pacing;
    await Promise.all(this.#clients.map((client) => client.destroy()));
  }

  #begin(): void {
    const { pace } = this.#load;
    if ("perSecond" in pace) {
      this.#pacing = this.#pace(1_000 / pace.perSecond);
      return;
    }
    for (const client of this.#clients) client.fill(pace.inFlight);
  }

  /** All at once, as wsbalancer's figures were taken. */
  async #pace(interval: number): Promise<void> {
    const start = performance.now();
    for (let tick = 1; !this.#over; tick++) {
      for (const client of this.#clients) client.fill(1);
      const next = start + tick * interval;
      await delay(Math.max(0, next - performance.now()));
    }
  }
}

/** What all clients count into. */
class Tally {
  count = 0;
  readonly #roundTrips = new Float64Array(MAX_ROUND_TRIPS);

  clear(): void {
    this.count = 0;
  }

  add(milliseconds: number): void {
    if (this.count < MAX_ROUND_TRIPS) {
      this.#roundTrips[this.count] = milliseconds;
    }
    this.count++;
  }

  sorted(): Float64Array {
    return this.#roundTrips.slice(0, this.count).sort();
  }
}

/** One client. */
class RelayClient implements PeerEvents {
  ended = false;
  readonly #peer: Peer;
  readonly #tally: Tally;
  readonly #message: Uint8Array;
  readonly #closedLoop: boolean;
  readonly #run: Promise<void>;
  /** Answers of the read under way. */
  #came = 0;

  constructor(peer: Peer, { size, pace }: RelayLoad, tally: Tally) {
    this.#peer = peer;
    this.#tally = tally;
    this.#message = new Uint8Array(size).fill(0x78);
    this.#closedLoop = "inFlight" in pace;
    this.#run = this.#read();
  }

  /** Sends so many. */
  fill(count: number): void {
    writeDigits(this.#message, 0, Math.round(now()), MOMENT);
    for (let i = 0; i < count; i++) {
      this.#peer.send(1, this.#message, 0, this.#message.length);
    }
    this.#peer.flush();
  }

  async destroy(): Promise<void> {
    this.#peer.destroy();
    await this.#run;
  }

  message(_kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (end - start !== this.#message.length) {
      throw new Error(`A message came with ${end - start} bytes`);
    }
    this.#came++;
    this.#tally.add((now() - readDigits(bytes, start, MOMENT)) / 1_000);
  }

  ping(payload: Uint8Array): void {
    this.#peer.pong(payload);
    this.#peer.flush();
  }

  batchEnd(): undefined {
    const count = this.#came;
    this.#came = 0;
    if (this.#closedLoop && count > 0) this.fill(count);
  }

  async #read(): Promise<void> {
    await this.#peer.run(this);
    this.ended = true;
  }
}

/** Microseconds since the harness began. */
function now(): number {
  return performance.now() * 1_000;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
