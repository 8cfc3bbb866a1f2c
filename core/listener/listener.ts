/**
 * One bound address and its accept loop.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../net/clock.ts";
import { formatSocket, socketAddress } from "../net/socket_address.ts";
import type { InheritedOptions } from "../net/inherited_options.ts";
import type { Log, SharedUses, SocketAddress } from "../plugin.ts";
import type { SeatCounts } from "../shared/seat_counts.ts";
import type { ListeningSocket } from "./bind.ts";
import { type Frontend, makeFrontend } from "./frontend.ts";
import { type Guest, type GuestLimits, Guests } from "./guests.ts";
import type { Initiator } from "./initiator.ts";

/** `warming`: bound, nothing accepted yet; `draining`: closed, its sessions live on. */
export type ListenerState = "warming" | "active" | "draining";

/** What a listener does with connections; asked anew for each one, so that a reload counts at once. */
export interface AcceptRules extends InheritedOptions, GuestLimits {}

/** Where a listener hands connections to. */
export interface Acceptor {
  /** Whether the address is still one of the config's: of one that a reload took away nobody knows what to do. */
  serves(): boolean;
  rules(): AcceptRules;
  /** Runs a session on the connection, which its `guest` may refuse and which is told of its end. */
  session(initiator: Initiator, guest: Guest): void;
}

/** What a listener needs of its data plane. */
export interface ListenerTools {
  readonly clock: Clock;
  readonly log: Log;
  /** Tells it from those that clients are counted with, too. */
  readonly key?: string | undefined;
  /** Counts its connections over all workers; left out where there is one worker only. */
  readonly fellows?: SeatCounts | undefined;
}

/** How long to wait after an accept failed, in milliseconds: out of descriptors, most likely. */
const ACCEPT_PAUSE = 50;

/** How long `leave` waits for the right moment, in milliseconds. */
const LEAVE_TIME = 200;

/** A connection came alone where none did for so long before, in milliseconds. */
const ALONE = 3;

/** A listener. */
export class Listener {
  state: ListenerState = "warming";
  readonly address: SocketAddress;
  /** The address as operators know it. */
  readonly frontend: Frontend;
  #socket: ListeningSocket;
  readonly #acceptor: Acceptor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #guests: Guests;
  /** Sockets that were closed. */
  readonly #closedSockets = new WeakSet<ListeningSocket>();
  /** What loops wait for at the limit: two of them while one socket follows another. */
  #change: PromiseWithResolvers<void> | undefined;
  /** Whether the connection that just came is the one to close after. */
  #arrived: (() => boolean) | undefined;
  #loop: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    socket: ListeningSocket,
    acceptor: Acceptor,
    tools: ListenerTools,
  ) {
    this.#socket = socket;
    this.#acceptor = acceptor;
    this.#clock = tools.clock;
    this.#log = tools.log;
    const { key = "", fellows } = tools;
    this.#guests = new Guests({
      key,
      fellows,
      onRoom: () => this.#lookAgain(),
    });
    this.address = socketAddress(socket.addr);
    this.frontend = makeFrontend(formatSocket(this.address));
  }

  /** Connections open now, in this worker. */
  get open(): number {
    return this.#guests.open;
  }

  /** Whether it accepts and another one has its address. */
  get isLost(): boolean {
    return this.state === "active" && this.#socket.leadsHere?.() === false;
  }

  /** Begins to accept. */
  activate(): void {
    if (this.state !== "warming") return;
    this.state = "active";
    this.#loop = this.#accept(this.#socket);
  }

  /**
   * Goes on with another socket of the same address; the one so far is closed.
   * Sessions and counts stay. Connections that wait in the closed one's queue
   * are the kernel's to move (`net.ipv4.tcp_migrate_req=1`) or to reset.
   * Resolves when it is gone.
   */
  async handOver(socket: ListeningSocket): Promise<void> {
    const old = this.#socket;
    this.#socket = socket;
    if (this.state === "draining") {
      // It was closed while the new one was being bound.
      socket.close();
      return;
    }
    const loop = this.#loop;
    if (this.state === "active") {
      this.#loop = Promise.all([loop, this.#accept(socket)]).then(() => {});
    }
    await this.#nextTurn();
    this.#end(old);
    await loop;
  }

  /** The rules may have changed: who waits at the limit looks again. */
  rulesChanged(): void {
    this.#socket.optionsChanged?.(this.#acceptor.rules());
    this.#lookAgain();
  }

  /** Clients' connections are counted there over all workers; undefined = here alone. */
  countClientsIn(clients: SharedUses | undefined): void {
    this.#guests.countClientsIn(clients);
  }

  /** Accepts no more; resolves when the loop has ended and the address is free. Sessions live on. */
  close(): Promise<void> {
    this.#closed ??= this.#close(() => this.#nextTurn());
    return this.#closed;
  }

  /**
   * As `close`, where another process has the address too and nothing may be
   * lost: it takes its time for the right moment, at most 200 ms.
   */
  leave(): Promise<void> {
    this.#closed ??= this.#close(() => this.#loneArrival());
    return this.#closed;
  }

  async #close(moment: () => Promise<void>): Promise<void> {
    const wasActive = this.state === "active";
    this.state = "draining";
    if (wasActive && this.#acceptor.serves()) await moment();
    this.#end(this.#socket);
    await this.#loop;
  }

  /**
   * What waits in a socket's queue when it closes is reset by the kernel, so
   * first the loop gets to take that: of 300 sockets closed at 200 new
   * connections a second, 10 to 21 connections were lost without this wait, 0 to
   * 3 with it (measured, on a busy machine).
   */
  async #nextTurn(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setImmediate(resolve));
  }

  /**
   * Where an accept is pending a close takes another turn of the event loop, and
   * what comes meanwhile is reset. So the best moment is right after a connection
   * that came alone: none were lost then (measured as above).
   */
  async #loneArrival(): Promise<void> {
    await this.#nextTurn();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LEAVE_TIME);
    let last = performance.now();
    const arrived = () => {
      const now = performance.now();
      if (now - last < ALONE) {
        last = now;
        return false;
      }
      resolve();
      return true;
    };
    this.#arrived = arrived;
    await promise;
    clearTimeout(timer);
  }

  #end(socket: ListeningSocket): void {
    if (this.#closedSockets.has(socket)) return;
    this.#closedSockets.add(socket);
    socket.close();
    // A loop that waits at the limit looks again and ends.
    this.#lookAgain();
  }

  /** Who waits at the limit does. */
  #lookAgain(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }

  async #accept(socket: ListeningSocket): Promise<void> {
    while (!this.#closedSockets.has(socket)) {
      // At the limit connections wait in the kernel's queue.
      if (this.#isFull()) {
        await this.#room();
        continue;
      }
      let conn: Deno.Conn;
      try {
        conn = await socket.accept();
      } catch (thrown) {
        // Closing the listener ends the pending accept.
        if (this.#closedSockets.has(socket)) return;
        if (isGone(thrown)) continue;
        this.#log.error("Cannot accept a connection", { error: thrown });
        await new Promise<void>((resolve) => {
          this.#clock.after(ACCEPT_PAUSE, resolve);
        });
        continue;
      }
      if (socket === this.#socket && this.#arrived?.()) this.#end(socket);
      const guest = this.#guest() ?? await this.#guestLater(socket);
      if (guest === undefined) conn.close();
      else this.#begin(conn, socket, guest);
    }
  }

  #isFull(): boolean {
    return this.#guests.has(this.#acceptor.rules().connections);
  }

  /** Resolves where there may be room. */
  async #room(): Promise<void> {
    const { promise } = this.#change ??= Promise.withResolvers();
    this.#guests.watch();
    if (this.#isFull()) await promise;
  }

  /** A place for a connection; undefined where there is none, or the address is not served any more. */
  #guest(): Guest | undefined {
    return this.#stillServes
      ? this.#guests.enter(this.#acceptor.rules())
      : undefined;
  }

  /**
   * The last place went to another one that came meanwhile, mostly to another
   * worker: who is here already waits as it would in the kernel's queue, but not
   * for longer than its socket is there.
   */
  async #guestLater(socket: ListeningSocket): Promise<Guest | undefined> {
    while (this.#stillServes && !this.#closedSockets.has(socket)) {
      await this.#room();
      const guest = this.#guest();
      if (guest !== undefined) return guest;
    }
    return this.#stillServes
      ? this.#guests.enterAnyway(this.#acceptor.rules())
      : undefined;
  }

  /** A connection may come while the listener closes. */
  get #stillServes(): boolean {
    return this.state === "active" || this.#acceptor.serves();
  }

  #begin(conn: Deno.Conn, socket: ListeningSocket, guest: Guest): void {
    const rules = this.#acceptor.rules();
    socket.setOptions?.(conn, rules);
    this.#acceptor.session({
      conn,
      remote: socketAddress(conn.remoteAddr),
      local: socketAddress(conn.localAddr),
      internal: false,
      proxy: undefined,
      tls: undefined,
    }, guest);
  }
}

/**
 * Whether only that one connection failed, reset while it waited: Deno asks for
 * its ends, which it has no more. A pause would let such clients hold up all.
 */
function isGone(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.NotConnected ||
    thrown instanceof Deno.errors.ConnectionAborted ||
    thrown instanceof Deno.errors.ConnectionReset;
}
