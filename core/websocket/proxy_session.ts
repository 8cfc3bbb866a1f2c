/**
 * A WebSocket session: a client's link and, one after another, links to
 * backends. One state machine, so that no race can lose it:
 *
 *     open ── backend lost ──▶ dialling ◀──▶ holding ──▶ closed
 *      │ ▲                        │
 *      │ └────────────────────────┘
 *      └── planned move ──▶ draining ──▶ open
 *
 * What a client sends is delivered to whichever backend there is (see
 * `delivery.ts`).
 *
 * @module
 */
import type { ProxyError } from "../errors.ts";
import type { Buffers } from "../net/buffer_pool.ts";
import type { Clock } from "../net/clock.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import { BackendSide, type Dialled, STALLED } from "./backend_side.ts";
import { Delivery } from "./delivery.ts";
import { Leaving } from "./leaving.ts";
import type { Link, LinkEnd, LinkEvents, MessageKind } from "./link.ts";
import { Losses } from "./losses.ts";
import { Redial } from "./redial.ts";
import type {
  MoveReason,
  SessionOwner,
  SessionSettings,
} from "./session_owner.ts";
import type { Turnstiles } from "./turnstile.ts";

/** What a session does now. */
export type SessionState =
  | "open"
  | "dialling"
  | "holding"
  | "draining"
  | "closed";

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
  readonly #delivery: Delivery;
  readonly #losses = new Losses();
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
  /** Why it is not to stay where the planned move that is under way finds no other backend. */
  #must: MoveReason | undefined;
  /** Backends that were deleted while it was on its way, perhaps to one of them. */
  #deleted: Set<string> | undefined;
  /** The backend that was lost, until another one takes its place. */
  #lost: BackendSide | undefined;
  /** Links that are not over. */
  #links = 2;
  #end: SessionEnd | undefined;
  #activeAt: number;

  constructor(parts: SessionParts) {
    this.done = new Promise((resolve) => this.#resolve = resolve);
    this.#client = parts.client;
    this.#settings = parts.settings;
    this.#owner = parts.owner;
    this.#clock = parts.clock;
    this.#deadlines = parts.deadlines;
    this.#turnstiles = parts.turnstiles;
    this.#backend = this.#sideOf(parts.backend);
    this.#delivery = new Delivery(this.#backend, {
      replay: parts.settings.replay,
      pongTimeout: parts.settings.pongTimeout,
      buffers: parts.buffers,
      clock: parts.clock,
      deadlines: parts.deadlines,
    });
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
    return this.#delivery.memory + this.#client.buffered +
      (this.#backend?.link.buffered ?? 0);
  }

  /**
   * Moves to another backend in order: the new one stands before the old one is
   * given up. False where it is on its way already or over. With `must` it does
   * not stay where no other is to be had.
   */
  move(reason: MoveReason, options: { readonly must: boolean }): boolean {
    if (this.#state !== "open") return false;
    if (this.#redial === undefined) {
      this.#search(this.#backend!.backendId, reason, options.must);
      return true;
    }
    if (options.must) this.#must = reason;
    return false;
  }

  /** A backend is no more: leaves it in order, also where it is on its way there. */
  leaveDeleted(backendId: string): void {
    const isThere = this.#state === "open" && this.backendId === backendId;
    if (isThere) this.move("admin", { must: true });
    else if (this.#redial !== undefined || this.#leaving !== undefined) {
      (this.#deleted ??= new Set()).add(backendId);
    }
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
    if (this.#state === "closed") return;
    if (this.#deadlines.now - this.#activeAt > this.#settings.idle) {
      this.close(1001, "idle");
    } else if (this.#state === "open") {
      this.#delivery.watch();
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
      this.#delivery.put(kind, bytes, start, end);
      return;
    }
    const passed = transmit(kind, bytes.subarray(start, end));
    if (passed === null) return;
    this.#delivery.put(passed.type, passed.data, 0, passed.data.length);
  }

  #clientBatchEnd(): Promise<void> | undefined {
    this.#activeAt = this.#deadlines.now;
    return this.#delivery.batchEnd();
  }

  /** The client is gone, in order or not: its backends are told, and a dial is given up. */
  #clientEnded(end: LinkEnd): void {
    // Where we closed first, they were told then.
    if (this.#state !== "closed") {
      this.#finish(end);
      this.#closeBackends(end.code, end.reason);
    }
    this.#linkOver();
  }

  // ------------------------------------------------------------------ backend

  #sideOf(dialled: Dialled): BackendSide {
    return new BackendSide(dialled, this.#owner.sizes(dialled.backendId));
  }

  #silenceOf(side: BackendSide): number {
    return side.silence(this.#clock.now(), this.#deadlines.now);
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
    const answered = this.#delivery.pong(side, bytes, start, end);
    if (answered && this.#leaving?.side === side) {
      this.#leaving.fenceAnswered();
    }
  }

  #backendEnded(side: BackendSide, end: LinkEnd): void {
    side.over = true;
    this.#linkOver();
    this.#delivery.settle(side);
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
    this.#losses.lost(this.#clock.now());
    this.#backend = undefined;
    this.#delivery.pause();
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
    this.#must = undefined;
    const lost = this.#lost;
    const planned = lost === undefined;
    const replayed = lost === undefined ? 0 : this.#delivery.unread(lost);
    if (!planned) this.#state = "dialling";
    const since = planned ? this.#clock.now() : this.#losses.since;
    const waits = !planned || this.#silenceOf(this.#backend!) >= STALLED;
    const redial = new Redial({
      clock: this.#clock,
      turnstile: this.#turnstiles[waits ? "lost" : "planned"],
      until: since + this.#settings.hold,
      flaps: planned ? 0 : this.#losses.flaps,
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
        this.#deleted = undefined;
        if (must) this.close(error.declined ? 1008 : 1013, error.message);
        else if (this.#must !== undefined) {
          this.#search(leaving, this.#must, true);
        }
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
    this.#losses.replaced(this.#clock.now());
    this.#backend = side;
    this.#state = "open";
    this.reconnects++;
    this.#owner.moved(from, side, reason);
    if (replayed > 0) this.#owner.replayed(replayed);
    this.#delivery.moveTo(side, from);
    this.#owner.gap(this.#losses.gap(this.#clock.now()));
    this.#listen(side);
    this.#settle();
  }

  /** A planned move: the old backend finishes, the new one's messages wait for that. */
  #switchTo(dialled: Dialled, reason: MoveReason): void {
    const from = this.#backend!;
    const side = this.#sideOf(dialled);
    this.#backend = side;
    this.#state = "draining";
    // The one that is left may not have read all of its own.
    this.#delivery.pause();
    this.reconnects++;
    this.#owner.moved(from, side, reason);
    this.#leaving = new Leaving(from, {
      clock: this.#clock,
      drain: this.#settings.drain,
      silence: this.#silenceOf(from),
      onRead: () => this.#delivery.sendTo(side),
    });
  }

  /** The backend that was left is over: from here on the new one is heard. */
  #left(leaving: Leaving): void {
    leaving.end();
    this.#leaving = undefined;
    const side = this.#backend!;
    if (this.#state === "closed") return;
    if (!leaving.hasRead) {
      const replayed = this.#delivery.unread(leaving.side);
      if (replayed > 0) this.#owner.replayed(replayed);
      this.#delivery.moveTo(side, leaving.side);
    }
    this.#state = "open";
    side.fencedAt = this.#deadlines.now;
    this.#listen(side);
    this.#settle();
  }

  /** It has one backend: stays there, unless that was deleted meanwhile. */
  #settle(): void {
    const deleted = this.#deleted;
    this.#deleted = undefined;
    if (deleted?.has(this.backendId)) this.move("admin", { must: true });
    else this.#owner.settled();
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
    this.#delivery.end();
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
