/**
 * A dialer's connection as a session's link: messages go as objects through two
 * channels, and how a side ended goes through them too.
 *
 * What the dialer took is as good as read: a fence is answered when everything
 * before it was taken, and what was not taken when the connection ends is given
 * back for the next one.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type {
  BackendConnection,
  WsClosure,
  WsMessage,
  WsNormalClosure,
} from "../plugin.ts";
import { ABNORMAL, mayBeSent, NO_STATUS } from "./close_payload.ts";
import type { DialChannels, ToBackend } from "./dial_channels.ts";
import type { Link, LinkEnd, LinkEvents, MessageKind } from "./link.ts";
import type { EntryTaker } from "./replay_log.ts";

/** What a link needs of its surroundings. */
export interface ChannelLinkOptions {
  readonly deadlines: Deadlines;
  /** Milliseconds in which one of the messages that wait must be taken. */
  readonly takeTimeout: number;
  /** A call of the connection's failed. */
  readonly failed: (call: "start" | "close", thrown: unknown) => void;
  /** It is over, once. */
  readonly over: () => void;
}

/** After our word of the end the connection's own may take so long, in milliseconds. */
const CLOSE_TIMEOUT = 5_000;

/** A Ping that is answered once so many items were taken. */
interface Fence {
  readonly behind: number;
  readonly payload: Uint8Array;
}

/** One connection. */
export class ChannelLink implements Link, Expiring {
  place = NOWHERE;
  deadline = Infinity;
  readonly #connection: BackendConnection;
  readonly #channels: DialChannels;
  readonly #options: ChannelLinkOptions;
  #events: LinkEvents | undefined;
  #begun = false;
  #pumping = false;
  /** The other side is slow. */
  #blocked = false;
  /** It was told of the end. */
  #closing = false;
  #end: LinkEnd | undefined;
  #fences: Fence[] = [];
  #untaken: ToBackend[] = [];
  #buffered = 0;

  constructor(
    connection: BackendConnection,
    channels: DialChannels,
    options: ChannelLinkOptions,
  ) {
    this.#connection = connection;
    this.#channels = channels;
    this.#options = options;
    const taken = (item: ToBackend) => this.#taken(item);
    const wake = () => this.#wake();
    channels.toBackend.onTaken = taken;
    channels.toFrontend.onWaiting = wake;
  }

  start(events: LinkEvents): void {
    this.#events = events;
    if (this.#end !== undefined) {
      tellEnd(events, this.#end);
      return;
    }
    this.#begin();
    this.#wake();
  }

  send(kind: MessageKind, bytes: Uint8Array, start: number, end: number): void {
    if (this.#closing || this.#end !== undefined) return;
    this.#begin();
    this.#add({ type: kind, data: bytes.slice(start, end) });
  }

  ping(payload: Uint8Array): void {
    if (this.#closing || this.#end !== undefined) return;
    const { size, taken } = this.#channels.toBackend;
    this.#fences.push({ behind: taken + size, payload: payload.slice() });
    this.#wake();
  }

  flush(): Promise<void> | undefined {
    return this.#channels.toBackend.room();
  }

  get buffered(): number {
    return this.#buffered;
  }

  get listening(): boolean {
    return !this.#blocked;
  }

  close(code: number, reason: string): void {
    if (this.#closing || this.#end !== undefined) return;
    this.#begin();
    const { toBackend } = this.#channels;
    toBackend.close(closureOf(code, reason));
    this.#closing = true;
    this.deadline = this.#options.deadlines.after(CLOSE_TIMEOUT);
  }

  abort(reason: ProxyError): void {
    this.#over({ code: ABNORMAL, reason: "", error: reason, failed: true });
  }

  giveBack(take: EntryTaker): void {
    for (const item of this.#untaken.splice(0)) {
      if (item.type === 32) continue;
      take(item.type, item.data, 0, item.data.length);
    }
  }

  /** Time is over: for a message to be taken, or for the connection's end. */
  expire(): void {
    this.abort(
      new ProxyError(
        "backend_silent",
        this.#closing
          ? "The dialer's connection did not end"
          : "The dialer's connection takes no messages",
      ),
    );
  }

  /** The first use starts the connection. */
  #begin(): void {
    if (this.#begun || this.#end !== undefined) return;
    this.#begun = true;
    this.#options.deadlines.add(this);
    this.#call("start", (thrown) => {
      this.#over({
        code: ABNORMAL,
        reason: "",
        error: asProxyError(thrown, "handler_error"),
        failed: true,
      });
    });
  }

  #call(name: "start" | "close", onFailed: (thrown: unknown) => void): void {
    const failed = (thrown: unknown) => {
      this.#options.failed(name, thrown);
      onFailed(thrown);
    };
    try {
      const called = this.#connection[name]();
      if (called instanceof Promise) called.catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  }

  #add(message: WsMessage): void {
    const { toBackend } = this.#channels;
    this.#buffered += message.data.length;
    toBackend.add(message);
    if (toBackend.size === 1) this.#limitTaking();
  }

  #taken(item: ToBackend): void {
    if (item.type !== 32) this.#buffered -= item.data.length;
    if (this.#end !== undefined) return;
    if (!this.#closing) this.#limitTaking();
    if (this.#fences.length > 0) this.#wake();
  }

  #limitTaking(): void {
    const { deadlines, takeTimeout } = this.#options;
    this.deadline = this.#channels.toBackend.size === 0
      ? Infinity
      : deadlines.after(takeTimeout);
  }

  /** Has the session told of what there is, outside of all its own calls. */
  #wake(): void {
    const events = this.#events;
    if (this.#pumping || events === undefined) return;
    this.#pumping = true;
    queueMicrotask(() => this.#pump(events));
  }

  /** Never rejects. */
  async #pump(events: LinkEvents): Promise<void> {
    try {
      while (this.#hasNews()) {
        this.#answerFences(events);
        if (this.#channels.toFrontend.size === 0) continue;
        const end = this.#giveMessages(events);
        const waiting = events.batchEnd();
        if (end !== undefined) this.#over(end);
        else if (waiting !== undefined) {
          this.#blocked = true;
          await waiting;
          this.#blocked = false;
        }
      }
    } catch (thrown) {
      this.abort(asProxyError(thrown));
    }
    this.#pumping = false;
  }

  #hasNews(): boolean {
    if (this.#end !== undefined) return false;
    const { toBackend, toFrontend } = this.#channels;
    const fence = this.#fences[0];
    return toFrontend.size > 0 ||
      (fence !== undefined && toBackend.taken >= fence.behind);
  }

  #answerFences(events: LinkEvents): void {
    const { taken } = this.#channels.toBackend;
    for (
      let fence = this.#fences[0];
      fence !== undefined && taken >= fence.behind;
      fence = this.#fences[0]
    ) {
      this.#fences.shift();
      events.pong(fence.payload, 0, fence.payload.length);
    }
  }

  /** Gives what waits; how it ended, where that was told. */
  #giveMessages(events: LinkEvents): LinkEnd | undefined {
    const { toFrontend } = this.#channels;
    for (
      let item = toFrontend.take();
      item !== undefined;
      item = toFrontend.take()
    ) {
      if (item.type === 32 || item.type === 64) return endOf(item);
      events.message(item.type, item.data, 0, item.data.length);
    }
    return undefined;
  }

  #over(end: LinkEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const { toBackend, toFrontend } = this.#channels;
    this.#untaken = toBackend.end();
    this.#buffered = 0;
    toFrontend.end();
    this.#options.deadlines.delete(this);
    this.#call("close", () => {});
    this.#options.over();
    if (this.#events !== undefined) tellEnd(this.#events, end);
  }
}

/** Outside of the session's own calls. */
function tellEnd(events: LinkEvents, end: LinkEnd): void {
  queueMicrotask(() => events.ended(end));
}

/** What a dialer's connection is told of a Close. */
function closureOf(code: number, reason: string): WsNormalClosure {
  if (code === NO_STATUS) return { type: 32 };
  if (code === ABNORMAL) {
    return { type: 32, code: 1001, reason: reason || "The client is gone" };
  }
  return { type: 32, code: mayBeSent(code) ? code : 1001, reason };
}

/** How it ended, in its own words. */
function endOf({ type, code, reason = "" }: WsClosure): LinkEnd {
  if (type === 32) return { code: code ?? 1000, reason, error: undefined };
  return {
    code: code ?? ABNORMAL,
    reason,
    error: new ProxyError(
      "backend_closed",
      reason === "" ? "The dialer's connection failed" : reason,
    ),
    failed: true,
  };
}
