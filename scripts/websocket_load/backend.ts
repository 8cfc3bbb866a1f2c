/**
 * A backend that answers every message, pushes some of its own, and tells the
 * harness of each before it acts.
 *
 * @module
 */
import type { MessageKind } from "../../core/websocket/link.ts";
import { kindOf, readMessage, writeMessage } from "./message.ts";
import { acceptWebSocket } from "./opening.ts";
import { isBroken, type Peer, type PeerEvents } from "./peer.ts";
import {
  CONNECTIONS,
  RECORD,
  type RecordWriter,
  sharedClock,
} from "./records.ts";

/** What a backend does. */
export interface BackendOptions {
  /** Its own among all backends of a run. */
  readonly number: number;
  readonly records: RecordWriter;
  /** Bytes of each message. */
  readonly size: number;
  /** Milliseconds that it thinks before it answers; 0 = it answers at once. */
  readonly think: number;
  /** Messages of its own per second and connection. */
  readonly pushes: number;
}

/** What is yet to be sent: a Ping's answer, or what a message answers. */
type Outgoing = { readonly pong: Uint8Array } | { readonly answers: number };

/** A listening backend. */
export class Backend implements AsyncDisposable {
  readonly port: number;
  readonly #options: BackendOptions;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Connection>();
  readonly #running = new Set<Promise<void>>();
  readonly #pushing: ReturnType<typeof setInterval> | undefined;
  readonly #accepting: Promise<void>;
  #opened = 0;

  constructor(listener: Deno.TcpListener, options: BackendOptions) {
    this.#options = options;
    this.#listener = listener;
    this.port = listener.addr.port;
    this.#accepting = this.#accept();
    if (options.pushes > 0) {
      this.#pushing = setInterval(() => {
        for (const connection of this.#connections) connection.push();
      }, 1000 / options.pushes);
    }
  }

  /** Sends a Close on every connection; what comes afterwards it does not read. */
  closeAll(code: number): void {
    for (const connection of this.#connections) connection.close(code);
  }

  /** Resets every connection. */
  resetAll(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Sends no more messages of its own. */
  calm(): void {
    clearInterval(this.#pushing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.calm();
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections) connection.destroy();
    await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      const run = this.#serve(conn);
      this.#running.add(run);
      run.then(() => this.#running.delete(run));
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    const { records, number } = this.#options;
    const id = number * CONNECTIONS + ++this.#opened;
    let session = 0;
    let peer: Peer;
    try {
      peer = await acceptWebSocket(conn, ({ target, fields }) => {
        session = Number(target.slice(1));
        records.add({
          type: RECORD.opened,
          connection: id,
          session,
          number: Number(fields.get("x-headrace-replayed") ?? 0),
          answers: 0,
          at: sharedClock(),
        });
        return records.flush();
      });
    } catch (thrown) {
      if (!isBroken(thrown)) throw thrown;
      return;
    }
    const connection = new Connection(id, session, peer, this.#options);
    this.#connections.add(connection);
    await peer.run(connection);
    this.#connections.delete(connection);
    connection.end();
  }
}

/** One connection. */
class Connection implements PeerEvents {
  readonly #id: number;
  readonly #session: number;
  readonly #peer: Peer;
  readonly #options: BackendOptions;
  readonly #message: Uint8Array;
  readonly #outbox: Outgoing[] = [];
  readonly #thoughts = new Set<ReturnType<typeof setTimeout>>();
  /** What came in the read under way. */
  #batch: Outgoing[] = [];
  #sending: Promise<void> | undefined;
  #sent = 0;
  #leaving = false;
  #at = 0;

  constructor(
    id: number,
    session: number,
    peer: Peer,
    options: BackendOptions,
  ) {
    this.#id = id;
    this.#session = session;
    this.#peer = peer;
    this.#options = options;
    this.#message = new Uint8Array(options.size);
  }

  message(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.#leaving) return;
    const { size } = this.#options;
    const message = readMessage(kind, bytes, start, end, size);
    // One that is damaged, or another session's, never came: it shows as lost.
    if (message?.sender !== this.#session) return;
    if (this.#at === 0) this.#at = sharedClock();
    this.#record(RECORD.received, message.number);
    this.#batch.push({ answers: message.number });
  }

  ping(payload: Uint8Array): void {
    if (!this.#leaving) this.#batch.push({ pong: payload });
  }

  batchEnd(): Promise<void> | undefined {
    const batch = this.#batch;
    if (batch.length === 0) return undefined;
    this.#batch = [];
    this.#at = 0;
    const { think } = this.#options;
    if (think === 0) {
      this.#outbox.push(...batch);
      return this.#sendAll();
    }
    this.#outbox.push(...batch.filter((each) => "pong" in each));
    const timer = setTimeout(() => {
      this.#thoughts.delete(timer);
      this.#outbox.push(...batch.filter((each) => "answers" in each));
      this.#sendAll();
    }, think);
    this.#thoughts.add(timer);
    return this.#sendAll();
  }

  /** Sends one that answers none. */
  push(): void {
    if (this.#leaving) return;
    this.#outbox.push({ answers: 0 });
    this.#sendAll();
  }

  async close(code: number): Promise<void> {
    this.#leaving = true;
    this.end();
    await this.#sending;
    await this.#peer.close(code, "");
  }

  reset(): void {
    this.#peer.reset();
  }

  destroy(): void {
    this.#peer.destroy();
  }

  /** What it still thinks about is never said. */
  end(): void {
    this.#leaving = true;
    for (const timer of this.#thoughts) clearTimeout(timer);
  }

  /** Resolves when the outbox is empty. Nothing leaves, a Ping's answer neither, before all that led to it is recorded. */
  #sendAll(): Promise<void> | undefined {
    if (this.#outbox.length > 0) this.#sending ??= this.#sendOutbox();
    return this.#sending;
  }

  async #sendOutbox(): Promise<void> {
    const { records } = this.#options;
    while (this.#outbox.length > 0) {
      const outgoing = this.#outbox.splice(0);
      const before = this.#sent;
      let number = before;
      for (const each of outgoing) {
        if ("answers" in each) {
          this.#record(RECORD.sending, ++number, each.answers);
        }
      }
      await records.flush();
      // It has ended meanwhile: what was announced is not sent.
      if (this.#peer.closing) break;
      this.#queue(outgoing);
      if (await this.#peer.flush() && number > before) {
        this.#record(RECORD.written, number);
      }
    }
    this.#sending = undefined;
    await records.flush();
  }

  #queue(outgoing: readonly Outgoing[]): void {
    const peer = this.#peer;
    const bytes = this.#message;
    for (const each of outgoing) {
      if ("pong" in each) {
        peer.pong(each.pong);
        continue;
      }
      const number = ++this.#sent;
      const { answers } = each;
      writeMessage(bytes, { sender: this.#id, number, answers });
      peer.send(kindOf(number), bytes, 0, bytes.length);
    }
  }

  #record(type: number, number: number, answers = 0): void {
    this.#options.records.add({
      type,
      connection: this.#id,
      session: this.#session,
      number,
      answers,
      at: this.#at,
    });
  }
}
