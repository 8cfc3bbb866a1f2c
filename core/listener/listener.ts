/**
 * One bound address and its accept loop.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../net/clock.ts";
import { formatSocket, socketAddress } from "../net/socket_address.ts";
import type { InheritedOptions } from "../net/inherited_options.ts";
import type { Log, SocketAddress } from "../plugin.ts";
import type { ListeningSocket } from "./bind.ts";
import { type Frontend, makeFrontend } from "./frontend.ts";
import { type Guest, Guests } from "./guests.ts";
import type { Initiator } from "./initiator.ts";

/** `warming`: bound, nothing accepted yet; `draining`: closed, its sessions live on. */
export type ListenerState = "warming" | "active" | "draining";

/** What a listener does with connections; asked anew for each one, so that a reload counts at once. */
export interface AcceptRules extends InheritedOptions {
  /** Connections open at once; at the limit none is accepted. */
  readonly connections: number;
  /** Connections open at once of one client's address. */
  readonly connectionsPerAddress: number | undefined;
}

/** Where a listener hands connections to. */
export interface Acceptor {
  /** Whether the address is still one of the config's: of one that a reload took away nobody knows what to do. */
  serves(): boolean;
  rules(): AcceptRules;
  /** Runs a session on the connection, which its `guest` may refuse and which is told of its end. */
  session(initiator: Initiator, guest: Guest): void;
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
  readonly #guests = new Guests(() => this.#lookAgain());
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
    tools: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#socket = socket;
    this.#acceptor = acceptor;
    this.#clock = tools.clock;
    this.#log = tools.log;
    this.address = socketAddress(socket.addr);
    this.frontend = makeFrontend(formatSocket(this.address));
  }

  /** Connections open now. */
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
      if (this.open >= this.#acceptor.rules().connections) {
        await (this.#change ??= Promise.withResolvers()).promise;
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
      // It may have come while the listener closed.
      if (this.state === "active" || this.#acceptor.serves()) {
        this.#begin(conn, socket);
      } else conn.close();
    }
  }

  #begin(conn: Deno.Conn, socket: ListeningSocket): void {
    const rules = this.#acceptor.rules();
    socket.setOptions?.(conn, rules);
    this.#acceptor.session({
      conn,
      remote: socketAddress(conn.remoteAddr),
      local: socketAddress(conn.localAddr),
      internal: false,
      proxy: undefined,
      tls: undefined,
    }, this.#guests.enter(rules.connectionsPerAddress ?? Infinity));
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
