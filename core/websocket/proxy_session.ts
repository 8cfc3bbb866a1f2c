/**
 * A WebSocket session: a client's link and, one after another, links to
 * backends. One state machine, so that no race can lose it:
 *
 *     open ── backend lost ──▶ dialling ◀──▶ holding ──▶ closed
 *      │ ▲                        │
 *      │ └────────────────────────┘
 *      └── planned move ──▶ draining ──▶ open
 *
 * What a client sends goes into a log until the backend is known to have read it
 * (see `backend_side.ts`); a new backend gets what a dead one has not, in order and
 * before anything newer.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { WsMessage } from "../plugin.ts";
import { Leaving } from "./leaving.ts";
import type { Link, LinkEnd, LinkEvents, MessageKind } from "./link.ts";
import { Redial } from "./redial.ts";
import { ReplayLog } from "./replay_log.ts";
import type { Turnstiles } from "./turnstile.ts";
import {
  BackendSide,
  type Dialled,
  type MessageSizes,
} from "./backend_side.ts";

/** What a session does now. */
export type SessionState =
  | "open"
  | "dialling"
  | "holding"
  | "draining"
  | "closed";

/** Why a session goes to another backend; metrics' label. */
export type MoveReason = "lost" | "closed" | "silent" | "admin" | "drain";

/** What a session goes by; durations in milliseconds. */
export interface SessionSettings {
  /** How long a client is held without a backend. */
  readonly hold: number;
  /** Bytes of messages kept until they are known to be read; undefined: none, each is sent at most once. */
  readonly replay: number | undefined;
  /** How long a backend that is left may take to finish. */
  readonly drain: number;
  /** A fence must be answered within this. */
  readonly pongTimeout: number;
  /** Close codes of a backend that mean that it failed. */
  readonly abnormalCodes: ReadonlySet<number>;
  /** Without a message for so long it ends. */
  readonly idle: number;
}

/** A dial that is wanted. */
export interface DialRequest {
  /** The backend that is left and not to be dialled; undefined where any will do. */
  readonly leaving: string | undefined;
  /** Messages that may come to the new backend for the second time. */
  readonly replayed: number;
  /** Fires when nobody wants the connection any more. */
  readonly signal: AbortSignal;
}

/** A message on its way through valves: the bytes are valid within the call only; null discards it. Never throws. */
export type Gate = (kind: MessageKind, bytes: Uint8Array) => WsMessage | null;

/** What a session needs of its surroundings and tells them. */
export interface SessionOwner {
  /** Rejects with a {@linkcode DialRefusal} of `redial.ts`. */
  dial(request: DialRequest): Promise<Dialled>;
  /** From the client to the backend; undefined where no valve is. */
  readonly transmit: Gate | undefined;
  /** From the backend to the client. */
  readonly receive: Gate | undefined;
  /** It has left a backend and is on another one. */
  moved(from: BackendSide, to: BackendSide, reason: MoveReason): void;
  /** Who counts the messages of the backend of this id, each once. */
  sizes(backendId: string): MessageSizes;
  /** It has one backend and may be moved again. */
  settled(): void;
  /** So many messages were sent a second time. */
  replayed(count: number): void;
  /** The client was without a backend for so many milliseconds. */
  gap(milliseconds: number): void;
}

/** What a session is made of. */
export interface SessionParts {
  readonly client: Link;
  readonly backend: Dialled;
  readonly settings: SessionSettings;
  readonly owner: SessionOwner;
  readonly buffers: Buffers;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** The searches of all sessions go through them. */
  readonly turnstiles: Turnstiles;
}

/** How it ended, in the client's terms. */
export interface SessionEnd {
  readonly code: number;
  readonly reason: string;
  readonly error: ProxyError | undefined;
}

/** What may wait for a backend where nothing is replayed, in bytes. */
const UNSENT = 64 << 10;

/** A fence follows so many bytes, whatever the time. */
const FENCE_AFTER = 32 << 10;

/** A fence follows the one before by so much, in milliseconds: what a crash may have sent twice is no older. */
const FENCE_INTERVAL = 20;

/** A backend that is lost within so many milliseconds never really was there. */
const STEADY = 1_000;

/** A session. */
export class ProxySession implements Expiring {
  place = NOWHERE;
  /** Each sweep looks after fences and silence. */
  readonly deadline = 0;
  /** Messages from the client, before valves. */
  messagesReceived = 0;
  /** Messages to the client, after valves. */
  messagesSent = 0;
  /** How often it came to another backend. */
  reconnects = 0;
  readonly #client: Link;
  readonly #settings: SessionSettings;
  readonly #owner: SessionOwner;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #turnstiles: Turnstiles;
  readonly #log: ReplayLog;
  readonly #bound: number;
  /** Resolves when both sides are closed. */
  readonly done: Promise<SessionEnd>;
  #resolve: (end: SessionEnd) => void = () => {};
  #state: SessionState = "open";
  /** The backend that the session is on; undefined while it has none. */
  #backend: BackendSide | undefined;
  /** A backend that is being left in order. */
  #leaving: Leaving | undefined;
  /** A search for another backend, planned or not. */
  #redial: Redial | undefined;
  /** The backend that was lost, until another one takes its place. */
  #lost: BackendSide | undefined;
  #lostAt = 0;
  /** When the backend took the place of a lost one. */
  #arrivedAt = -Infinity;
  /** Backends in a row that were lost as soon as they were there. */
  #flaps = 0;
  /** When the first of these was. */
  #flapsSince = 0;
  /** The last message that was counted by its size. */
  #counted = 0;
  /** Links that are not over. */
  #links = 2;
  #end: SessionEnd | undefined;
  #activeAt: number;
  /** The client waits to be read on until the log has room. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(parts: SessionParts) {
    this.done = new Promise((resolve) => this.#resolve = resolve);
    this.#client = parts.client;
    this.#log = new ReplayLog(parts.buffers);
    this.#settings = parts.settings;
    this.#owner = parts.owner;
    this.#backend = this.#sideOf(parts.backend);
    this.#clock = parts.clock;
    this.#deadlines = parts.deadlines;
    this.#turnstiles = parts.turnstiles;
    this.#bound = parts.settings.replay ?? UNSENT;
    this.#activeAt = parts.deadlines.now;
  }

  /** Begins to read on both sides. */
  start(): void {
    this.#deadlines.add(this);
    this.#client.start(new ProxySession.#ClientEvents(this));
    this.#listen(this.#backend!);
  }

  /** How it ended; undefined while it has not. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The id of the backend that it is on; of the one that it lost while it has none. */
  get backendId(): string {
    return this.#backend?.backendId ?? this.#redial?.leaving ?? "";
  }

  /** Bytes of memory for messages that wait or may have to be sent again. */
  get buffered(): number {
    return this.#log.memory + this.#client.buffered +
      (this.#backend?.link.buffered ?? 0);
  }

  /**
   * Moves to another backend in order: the new one stands before the old one is
   * given up. False where it is on its way already or over. With `must` it does
   * not stay where no other is to be had.
   */
  move(reason: MoveReason, options: { readonly must: boolean }): boolean {
    if (this.#state !== "open" || this.#redial !== undefined) return false;
    this.#search(this.#backend!.backendId, reason, options.must);
    return true;
  }

  /** Looks for a backend at once, where it waits for one. */
  retry(): void {
    this.#redial?.hurry();
  }

  /** Closes both sides in order. */
  close(code: number, reason: string): void {
    if (this.#state === "closed") return;
    this.#finish({ code, reason, error: undefined });
    this.#client.close(code, reason);
    this.#closeBackends(code === 1000 ? 1000 : 1001, reason);
  }

  expire(): void {
    const side = this.#backend;
    const now = this.#deadlines.now;
    if (this.#state === "closed") return;
    if (now - this.#activeAt > this.#settings.idle) {
      this.close(1001, "idle");
    } else if (side !== undefined && this.#state === "open") {
      this.#watchFence(side);
    }
  }

  #watchFence(side: BackendSide): void {
    const now = this.#deadlines.now;
    if (side.fence === undefined) {
      if (this.#log.count > 0) this.#fence(side);
    } else if (!side.link.listening) {
      side.fencedAt = now;
    } else if (now - side.fencedAt > this.#settings.pongTimeout) {
      side.link.abort(
        new ProxyError("backend_silent", "The backend did not answer a Ping"),
      );
    }
  }

  // ------------------------------------------------------------------- client

  #fromClient(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.#state === "closed") return;
    this.messagesReceived++;
    const { transmit } = this.#owner;
    if (transmit === undefined) {
      this.#toBackend(kind, bytes, start, end);
      return;
    }
    const passed = transmit(kind, bytes.subarray(start, end));
    if (passed === null) return;
    this.#toBackend(passed.type, passed.data, 0, passed.data.length);
  }

  #toBackend(
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const target = this.#target;
    const log = this.#log;
    if (target !== undefined && this.#settings.replay === undefined) {
      this.#send(target, log.skip(), kind, bytes, start, end);
      return;
    }
    log.append(kind, bytes, start, end);
    if (target === undefined) return;
    this.#send(target, log.last, kind, bytes, start, end);
  }

  #send(
    side: BackendSide,
    number: number,
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    side.send(number, kind, bytes, start, end);
    // One that is sent a second time was counted before.
    if (number <= this.#counted) return;
    this.#counted = number;
    side.sizes.toBackend.observe(end - start);
  }

  /** Who gets the client's messages now: nobody while the one that is left may not have read all of its own. */
  get #target(): BackendSide | undefined {
    return this.#leaving?.hasRead === false ? undefined : this.#backend;
  }

  #clientBatchEnd(): Promise<void> | undefined {
    this.#activeAt = this.#deadlines.now;
    const side = this.#target;
    const full = this.#log.size >= this.#bound;
    let flushed: Promise<void> | undefined;
    if (side !== undefined) {
      const now = this.#clock.now();
      side.asked(now);
      if (
        this.#settings.replay !== undefined && this.#log.count > 0 &&
        (full || side.unfenced >= FENCE_AFTER ||
          now - side.lastFenceAt >= FENCE_INTERVAL)
      ) this.#fence(side, now);
      flushed = side.link.flush();
    }
    if (!full) return flushed;
    this.#room ??= Promise.withResolvers<void>();
    const { promise } = this.#room;
    return flushed === undefined ? promise : flushed.then(() => promise);
  }

  #fence(side: BackendSide, now = this.#clock.now()): void {
    if (side.fence !== undefined) return;
    side.lastFenceAt = now;
    side.putFence(this.#deadlines.now);
    side.link.flush();
  }

  /** The backend has read all up to this message. */
  #acknowledge(number: number): void {
    this.#log.dropTo(number);
    this.#makeRoom();
  }

  #makeRoom(): void {
    if (this.#log.size >= this.#bound && this.#state !== "closed") return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** The client is gone, in order or not: its backends are told, and a dial is given up. */
  #clientEnded(end: LinkEnd): void {
    this.#finish(end);
    this.#closeBackends(end.code, end.reason);
    this.#linkOver();
  }

  // ------------------------------------------------------------------ backend

  #sideOf(dialled: Dialled): BackendSide {
    return new BackendSide(dialled, this.#owner.sizes(dialled.backendId));
  }

  #listen(side: BackendSide): void {
    side.link.start(new ProxySession.#BackendEvents(this, side));
  }

  #fromBackend(
    side: BackendSide,
    kind: MessageKind,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    side.heard();
    side.sizes.fromBackend.observe(end - start);
    if (this.#state === "closed") return;
    const { receive } = this.#owner;
    if (receive === undefined) {
      this.messagesSent++;
      this.#client.send(kind, bytes, start, end);
      return;
    }
    const passed = receive(kind, bytes.subarray(start, end));
    if (passed === null) return;
    this.messagesSent++;
    this.#client.send(passed.type, passed.data, 0, passed.data.length);
  }

  #backendBatchEnd(side: BackendSide): Promise<void> | undefined {
    this.#activeAt = this.#deadlines.now;
    side.answered(this.#clock.now());
    if (this.#leaving?.side === side) this.#leaving.heard();
    return this.#client.flush();
  }

  #pong(
    side: BackendSide,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const read = side.readPong(bytes, start, end);
    if (read === undefined) return;
    this.#acknowledge(read);
    if (this.#leaving?.side === side) this.#leaving.fenceAnswered();
  }

  #backendEnded(side: BackendSide, end: LinkEnd): void {
    side.over = true;
    this.#linkOver();
    this.#settle(side);
    if (this.#leaving?.side === side) {
      this.#left(this.#leaving);
    } else if (this.#state === "closed") {
      return;
    } else if (end.failed || this.#settings.abnormalCodes.has(end.code)) {
      this.#lose(side, end);
    } else {
      this.#finish(end);
      this.#client.close(end.code, end.reason);
    }
  }

  #lose(side: BackendSide, end: LinkEnd): void {
    this.#lostAt = this.#clock.now();
    if (this.#lostAt - this.#arrivedAt >= STEADY) this.#flaps = 0;
    else if (this.#flaps++ === 0) this.#flapsSince = this.#lostAt;
    this.#backend = undefined;
    // A move that was under way promised its backend that nothing is replayed.
    this.#redial?.cancel();
    const reason = end.error?.code === "backend_silent"
      ? "silent"
      : end.error === undefined && end.code !== 1006
      ? "closed"
      : "lost";
    this.#lost = side;
    this.#search(side.backendId, reason, true);
  }

  // -------------------------------------------------------------------- moves

  #search(leaving: string, reason: MoveReason, must: boolean): void {
    const lost = this.#lost;
    const planned = lost === undefined;
    const replayed = lost === undefined
      ? 0
      : Math.max(0, lost.lastSent - this.#log.dropped);
    if (!planned) this.#state = "dialling";
    const flaps = planned ? 0 : this.#flaps;
    const since = flaps > 0 ? this.#flapsSince : this.#clock.now();
    const redial = new Redial({
      clock: this.#clock,
      turnstile: this.#turnstiles[planned ? "planned" : "lost"],
      until: since + this.#settings.hold,
      flaps,
      leaving,
      once: !must,
      dial: (request) => this.#owner.dial({ ...request, replayed }),
      onHold: (holding) => {
        if (!planned) this.#state = holding ? "holding" : "dialling";
      },
      onDialled: (dialled) => {
        this.#redial = undefined;
        this.#links++;
        if (planned) this.#switchTo(dialled, reason);
        else this.#replaceWith(dialled, reason, replayed);
      },
      onFailed: (error) => {
        this.#redial = undefined;
        if (must) this.close(error.declined ? 1008 : 1013, error.message);
      },
    });
    this.#redial = redial;
    redial.start();
  }

  /** The lost backend's place is taken: what it may not have read comes first. */
  #replaceWith(dialled: Dialled, reason: MoveReason, replayed: number): void {
    const from = this.#lost!;
    const side = this.#sideOf(dialled);
    this.#lost = undefined;
    this.#arrivedAt = this.#clock.now();
    this.#backend = side;
    this.#state = "open";
    this.reconnects++;
    this.#owner.moved(from, side, reason);
    if (replayed > 0) this.#owner.replayed(replayed);
    this.#sendReturned(from, side);
    this.#sendLog(side);
    this.#owner.gap(this.#clock.now() - this.#lostAt);
    this.#listen(side);
    this.#owner.settled();
  }

  /** A planned move: the old backend finishes, the new one's messages wait for that. */
  #switchTo(dialled: Dialled, reason: MoveReason): void {
    const from = this.#backend!;
    const side = this.#sideOf(dialled);
    this.#backend = side;
    this.#state = "draining";
    this.reconnects++;
    this.#owner.moved(from, side, reason);
    this.#leaving = new Leaving(from, {
      clock: this.#clock,
      drain: this.#settings.drain,
      onRead: () => this.#sendLog(side),
    });
  }

  /** The backend that was left is over: from here on the new one is heard. */
  #left(leaving: Leaving): void {
    leaving.end();
    this.#leaving = undefined;
    const side = this.#backend!;
    if (this.#state === "closed") return;
    if (!leaving.hasRead) {
      const { lastSent } = leaving.side;
      const replayed = Math.max(0, lastSent - this.#log.dropped);
      if (replayed > 0) this.#owner.replayed(replayed);
      this.#sendReturned(leaving.side, side);
      this.#sendLog(side);
    }
    this.#state = "open";
    side.fencedAt = this.#deadlines.now;
    this.#listen(side);
    this.#owner.settled();
  }

  /** Where a link knows what its peer has not got, the peer got the rest: nothing is sent twice. */
  #settle({ link, lastSent }: BackendSide): void {
    if (this.#settings.replay === undefined) return;
    let left = 0;
    link.giveBack?.(() => left++);
    if (link.giveBack !== undefined) this.#acknowledge(lastSent - left);
  }

  /** Sends what certainly did not reach the backend that is over; where there is a replay, the log has it. */
  #sendReturned({ link, lastSent }: BackendSide, side: BackendSide): void {
    if (this.#settings.replay !== undefined) return;
    link.giveBack?.((kind, bytes, start, end) => {
      side.send(lastSent, kind, bytes, start, end);
    });
  }

  /** Sends all that waits. */
  #sendLog(side: BackendSide): void {
    const log = this.#log;
    let number = log.dropped;
    log.giveAfter(0, (kind, bytes, start, end) => {
      this.#send(side, ++number, kind, bytes, start, end);
    });
    if (this.#settings.replay === undefined) log.dropTo(log.last);
    else if (log.count > 0) this.#fence(side);
    side.asked(this.#clock.now());
    side.link.flush();
    this.#makeRoom();
  }

  // ---------------------------------------------------------------------- end

  /** Nothing is passed on any more. */
  #finish(end: SessionEnd): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#end = end;
    this.#redial?.cancel();
    this.#redial = undefined;
    this.#deadlines.delete(this);
    this.#log.clear();
    this.#makeRoom();
  }

  #closeBackends(code: number, reason: string): void {
    const leaving = this.#leaving?.side;
    if (leaving !== undefined && !leaving.over) {
      leaving.link.close(code, reason);
    }
    const side = this.#backend;
    if (side === undefined || side.over) return;
    // One that nobody has listened to yet: its Close is to be heard.
    if (leaving !== undefined) this.#listen(side);
    side.link.close(code, reason);
  }

  #linkOver(): void {
    if (--this.#links === 0) this.#resolve(this.#end!);
  }

  // -------------------------------------------------------------------- events
  // Classes and no closures: each idle session would hold eight of these.

  static readonly #ClientEvents = class implements LinkEvents {
    readonly #session: ProxySession;

    constructor(session: ProxySession) {
      this.#session = session;
    }

    message(
      kind: MessageKind,
      bytes: Uint8Array,
      start: number,
      end: number,
    ): void {
      this.#session.#fromClient(kind, bytes, start, end);
    }
    pong(): void {}
    batchEnd(): Promise<void> | undefined {
      return this.#session.#clientBatchEnd();
    }
    ended(end: LinkEnd): void {
      this.#session.#clientEnded(end);
    }
  };

  static readonly #BackendEvents = class implements LinkEvents {
    readonly #session: ProxySession;
    readonly #side: BackendSide;

    constructor(session: ProxySession, side: BackendSide) {
      this.#session = session;
      this.#side = side;
    }

    message(
      kind: MessageKind,
      bytes: Uint8Array,
      start: number,
      end: number,
    ): void {
      this.#session.#fromBackend(this.#side, kind, bytes, start, end);
    }
    pong(bytes: Uint8Array, start: number, end: number): void {
      this.#session.#pong(this.#side, bytes, start, end);
    }
    batchEnd(): Promise<void> | undefined {
      return this.#session.#backendBatchEnd(this.#side);
    }
    ended(end: LinkEnd): void {
      this.#session.#backendEnded(this.#side, end);
    }
  };
}
