/**
 * A client that sends numbered messages and keeps what it gets.
 *
 * @module
 */
import type { MessageKind } from "../../core/websocket/link.ts";
import { kindOf, readMessage, writeMessage } from "./message.ts";
import { openWebSocket } from "./opening.ts";
import type { Peer, PeerEnd, PeerEvents } from "./peer.ts";

/** A message that a client got. */
export interface Delivery {
  /** The backend's connection that sent it. */
  readonly connection: number;
  /** The number that this connection gave it. */
  readonly number: number;
  /** The client's message that it answers; 0 for a push. */
  readonly answers: number;
  /** Milliseconds of the harness's clock. */
  readonly at: number;
}

/** What one client did and saw. */
export interface ClientRecord {
  /** Its own among all clients of a run. */
  readonly session: number;
  /** The system has taken its messages up to this number, counted from 1. */
  readonly sent: number;
  /** In their order. */
  readonly delivered: readonly Delivery[];
  /** How its connection ended; undefined while it stands. */
  readonly ended: PeerEnd | undefined;
}

/** A client at work. */
export class LoadClient implements ClientRecord, PeerEvents {
  readonly session: number;
  /** Messages that it was told to send. */
  queued = 0;
  sent = 0;
  readonly delivered: Delivery[] = [];
  ended: PeerEnd | undefined;
  readonly #peer: Peer;
  readonly #message: Uint8Array;
  readonly #answered = new Set<number>();
  readonly #run: Promise<void>;
  #writing = false;

  private constructor(session: number, peer: Peer, size: number) {
    this.session = session;
    this.#peer = peer;
    this.#message = new Uint8Array(size);
    this.#run = this.#read();
    // Whoever closes the client hears of it.
    this.#run.catch(() => {});
  }

  /** Connects; `size` is that of each message, either way. */
  static async open(
    port: number,
    session: number,
    size: number,
  ): Promise<LoadClient> {
    const peer = await openWebSocket(port, `/${session}`);
    return new LoadClient(session, peer, size);
  }

  /** Whether every message that it sent is answered. */
  get answered(): boolean {
    return this.#answered.size === this.queued;
  }

  /** Sends the next message. */
  send(): void {
    const number = ++this.queued;
    const bytes = this.#message;
    writeMessage(bytes, { sender: this.session, number, answers: 0 });
    this.#peer.send(kindOf(number), bytes, 0, bytes.length);
    this.#write();
  }

  /** Closes it in order. Rejects where the protocol was broken before. */
  async close(): Promise<void> {
    await this.#peer.close(1000, "");
    await this.#run;
  }

  /** Ends it at once. */
  async destroy(): Promise<void> {
    this.#peer.destroy();
    await this.#run;
  }

  message(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { length } = this.#message;
    const message = readMessage(kind, bytes, start, end, length);
    // A damaged one never came: it shows as lost.
    if (message === undefined) return;
    const { sender: connection, number, answers } = message;
    const at = performance.now();
    this.delivered.push({ connection, number, answers, at });
    if (answers > 0) this.#answered.add(answers);
  }

  ping(payload: Uint8Array): void {
    this.#peer.pong(payload);
    this.#write();
  }

  batchEnd(): undefined {}

  async #read(): Promise<void> {
    this.ended = await this.#peer.run(this);
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    let queued: number;
    do {
      queued = this.queued;
      if (!await this.#peer.flush()) break;
      this.sent = queued;
    } while (queued !== this.queued);
    this.#writing = false;
  }
}
