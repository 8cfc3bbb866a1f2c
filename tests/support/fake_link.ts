/**
 * A WebSocket link without a connection: what is sent can be looked at, and the
 * peer does what a test says.
 *
 * @module
 */
import type { ProxyError } from "../../core/errors.ts";
import type {
  Link,
  LinkEnd,
  LinkEvents,
  MessageKind,
} from "../../core/websocket/link.ts";
import { bytesOf, textOf } from "./byte_streams.ts";

/** What was sent to a peer. */
export type Sent = string | { readonly ping: Uint8Array };

/** One side of a session whose peer is the test. */
export class FakeLink implements Link {
  /** Messages as text and Pings that the peer has not read. */
  readonly inbox: Sent[] = [];
  /** Messages as text that the peer has read. */
  readonly read: string[] = [];
  readonly buffered = 0;
  listening = true;
  /** What a Close of ours said. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** Why it was aborted. */
  aborted: ProxyError | undefined;
  over = false;
  giveBack?: NonNullable<Link["giveBack"]>;
  #events: LinkEvents | undefined;
  /** Held back until the session listens. */
  #early: (() => void)[] = [];

  start(events: LinkEvents): void {
    if (this.started) throw new Error("A link is started once");
    this.#events = events;
    // A real link's events come later than the call.
    queueMicrotask(() => {
      const early = this.#early;
      this.#early = [];
      for (const each of early) each();
    });
  }

  /** Whether the session listens. */
  get started(): boolean {
    return this.#events !== undefined;
  }

  send(
    _kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.over || this.closed !== undefined) return;
    this.inbox.push(textOf(bytes.subarray(start, end)));
  }

  ping(payload: Uint8Array): void {
    if (!this.over) this.inbox.push({ ping: payload.slice() });
  }

  flush(): Promise<void> | undefined {
    return undefined;
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  abort(reason: ProxyError): void {
    this.aborted ??= reason;
    this.end({ code: 1006, reason: "", error: reason });
  }

  // ---------------------------------------------------------------- the peer

  /** From here on it knows what its peer has not read. */
  knowsUnread(): void {
    this.giveBack = (take) => {
      for (const sent of this.inbox.splice(0)) {
        if (typeof sent !== "string") continue;
        const bytes = bytesOf(sent);
        take(1, bytes, 0, bytes.length);
      }
    };
  }

  /** The peer reads at most so many, answering Pings. */
  readSome(count = Infinity): void {
    for (let i = 0; i < count; i++) {
      const next = this.inbox.shift();
      if (next === undefined) return;
      if (typeof next === "string") this.read.push(next);
      else this.#tell((e) => e.pong(next.ping, 0, next.ping.length));
    }
  }

  /** The peer sends messages, in one batch; the promise is what the next read waits for. */
  say(...messages: string[]): Promise<void> | undefined {
    let waiting: Promise<void> | undefined;
    this.#tell((events) => {
      for (const message of messages) {
        const bytes = bytesOf(message);
        events.message(1, bytes, 0, bytes.length);
      }
      waiting = events.batchEnd();
    });
    return waiting;
  }

  /** It ends; by default without a Close. */
  end(end: Partial<LinkEnd> = {}): void {
    if (this.over) return;
    this.over = true;
    queueMicrotask(() => {
      this.#tell((events) =>
        events.ended({ code: 1006, reason: "", error: undefined, ...end })
      );
    });
  }

  /** The peer answers our Close. */
  answerClose(): void {
    this.end({ code: this.closed?.code ?? 1005 });
  }

  #tell(event: (events: LinkEvents) => void): void {
    const events = this.#events;
    if (events === undefined) this.#early.push(() => event(this.#events!));
    else event(events);
  }
}
