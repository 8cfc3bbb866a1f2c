/**
 * Everything that happens on one accepted connection.
 *
 * @module
 */
import { POINT, type PointName } from "../callback_points.ts";
import type { Preface } from "../connect/preface.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import type { Frontend } from "../listener/frontend.ts";
import type { Initiator } from "../listener/initiator.ts";
import type { Guest } from "../listener/guests.ts";
import { introduce } from "../listener/proxy_header.ts";
import type { Deadlines } from "../net/deadlines.ts";
import { type HostParts, splitHost } from "../net/host_name.ts";
import { NOWHERE, type Placed } from "../net/roster.ts";
import { Socket, type SocketOptions } from "../net/socket.ts";
import type { SentVersion } from "../proxy_protocol/write.ts";
import type { TlsFacts } from "../plugin.ts";
import type { ListenerRuntime, Snapshot } from "../snapshot/snapshot.ts";
import { bindHandler } from "./bind_handler.ts";
import { isTrusted } from "./client_address.ts";
import type { PlaneEnv } from "./env.ts";
import type { Lasting } from "./exchange.ts";
import { ForwardingFields } from "./forwarding.ts";
import { type RunEnded, tellStarted } from "./handler_runs.ts";
import {
  type AnyHandler,
  type BoundHandler,
  type HandlerOwner,
  type HandlerTable,
  handles,
  runHandlers,
  type ScopedHandlers,
  withHandler,
} from "./handlers.ts";
import type { SessionHost } from "./host.ts";
import { makePreface } from "./preface.ts";
import { type Served, serveHttp1 } from "./serve_http1.ts";
import { serveTcp } from "./serve_tcp.ts";
import { SessionView } from "./views.ts";

/** One accepted connection. */
export class Session implements HandlerOwner, Placed {
  place = NOWHERE;
  readonly plane: SessionHost;
  readonly env: PlaneEnv;
  /** From accept on it is who the client is; before, whoever sends the PROXY header. From handshake on its connection carries what TLS carries. */
  initiator: Initiator;
  /** The listener as it was when the connection came: accept, handshake and finish go by it. */
  readonly listenerRuntime: ListenerRuntime;
  readonly startedAt: number;
  /** Where the client came in; undefined for what did not come from outside. */
  readonly frontend: Frontend | undefined;
  transactions = 0;
  sessionHandlers: ScopedHandlers | undefined;
  /** The handler that runs, a transaction's too: what it registers with `on` is its plugin's. */
  running: BoundHandler | undefined;
  readonly transactionHandlers: undefined;
  error: ProxyError | undefined;
  /** Responses say that the connection closes after them. */
  closing = false;
  /** A handler wants no further request on it. */
  finished = false;
  /** The backend of a TCP session. */
  backend: string | undefined;
  /** Facts of TLS: of our own, or as far as one that goes on to the backend tells. */
  tls: TlsFacts | undefined;
  /** Whether the certificate that the client got is one for this host. */
  covers: (host: string) => boolean = coversAll;

  readonly #snapshot: Snapshot;
  #id: string | undefined;
  #view: SessionView | undefined;
  #socket: Socket | undefined;
  /** The connection was closed before it had a socket. */
  #closed = false;
  /** The PROXY header is being read. */
  #introducing = false;
  /** Ends the handshake while it is under way. */
  #abortHandshake: ((reason: ProxyError) => void) | undefined;
  #serving: Served | undefined;
  /** What its listener is told; undefined where it comes from none. */
  #guest: Guest | undefined;
  #controller: AbortController | undefined;
  #hostField = "";
  #hostParts = NO_HOST;
  #preface:
    | { version: SentVersion; client: string; preface: Preface }
    | undefined;
  #forwarding: ForwardingFields | undefined;

  constructor(
    plane: SessionHost,
    listener: ListenerRuntime,
    initiator: Initiator,
    frontend?: Frontend,
  ) {
    this.plane = plane;
    this.env = plane.env;
    this.initiator = initiator;
    this.tls = initiator.tls;
    this.listenerRuntime = listener;
    this.frontend = frontend;
    this.#snapshot = plane.current.retain();
    this.startedAt = plane.env.clock.wall();
  }

  /**
   * Runs it until its connection is closed; what handlers do at finish delays
   * nobody. `guest` is asked about the client's address, and told of the end.
   */
  run(guest?: Guest): void {
    this.#guest = guest;
    this.plane.opened(this);
    this.#begin();
  }

  /** Ends with the connection served, or with the session over. Never rejects. */
  async #begin(): Promise<void> {
    try {
      const introduced = this.#introduce();
      if (introduced !== undefined) await introduced;
      this.#guest?.admit(this.initiator.remote.address);
      const fired = handles(this, POINT.accept)
        ? runHandlers(this, POINT.accept, this.view)
        : undefined;
      const verdict = fired instanceof Promise ? await fired : fired;
      const goesOn = verdict === undefined && !this.#closed &&
        (this.#securedAlready || await this.#handshake());
      if (!goesOn) this.#close();
      else if (!this.#closed) {
        const socket = this.#socket = this.#makeSocket();
        this.#serve(socket).done.then(
          (lasting) => this.#served(lasting),
          (thrown) => this.#failed(thrown),
        );
        return;
      }
    } catch (thrown) {
      this.#failed(thrown);
      return;
    }
    this.#over();
  }

  /** Nothing is left to be served but perhaps a tunnel. */
  #served(lasting: Lasting | undefined): void {
    if (lasting === undefined) this.#ended();
    else lasting.over.then(() => this.#tunnelEnded(lasting));
  }

  async #tunnelEnded(tunnel: Lasting): Promise<void> {
    try {
      await tunnel.end();
      this.#ended();
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #ended(): void {
    this.#socket!.close();
    this.#over();
  }

  #failed(thrown: unknown): void {
    this.error ??= asProxyError(thrown);
    this.#close();
    this.#over();
  }

  #over(): void {
    this.plane.ended(this);
    this.abortSignal(this.error ?? OVER);
    if (handles(this, POINT.finish)) this.plane.outlives(this.#finish());
    else this.#letGo();
    this.#guest?.left();
  }

  /** Who the client is, where a PROXY header says so; a promise only then. */
  #introduce(): undefined | Promise<void> {
    const { config, trust } = this.listenerRuntime;
    const { initiator, env } = this;
    const mode = config.proxyProtocol;
    if (mode === "none" || initiator.internal) return undefined;
    const introduced = introduce(initiator, {
      mode,
      trusted: isTrusted(trust, initiator.remote.address),
      timeout: config.timeouts.handshake,
      buffers: env.buffers,
      deadlines: env.deadlines,
      close: () => this.#close(),
    });
    return introduced && this.#becomes(introduced);
  }

  async #becomes(introduced: Promise<Initiator>): Promise<void> {
    this.#introducing = true;
    this.initiator = await introduced;
    this.#introducing = false;
    // It was ended while the header came.
    if (this.error !== undefined) throw this.error;
  }

  async #finish(): Promise<void> {
    await runHandlers(this, POINT.finish, this.view);
    this.#letGo();
  }

  #letGo(): void {
    this.#snapshot.release();
    if (!this.isLight) this.env.specimens.forget(this);
  }

  /** Whether there is no handshake to wait for. */
  get #securedAlready(): boolean {
    return this.listenerRuntime.tls === undefined || this.initiator.internal;
  }

  /** Ends TLS and asks the handlers at handshake; false where one closes the connection. Rejects with a ProxyError. */
  async #handshake(): Promise<boolean> {
    const { name, tls, config } = this.listenerRuntime;
    const { metrics, deadlines } = this.env;
    try {
      const { conn, tls: facts, covers } = await tls!.handshake(
        this.initiator.conn,
        {
          timeout: config.timeouts.handshake,
          deadlines,
          abortable: (abort) => this.#abortHandshake = abort,
          outlives: (work) => this.plane.outlives(work),
        },
      );
      this.initiator = { ...this.initiator, conn, tls: facts };
      this.tls = facts;
      this.covers = covers;
    } catch (thrown) {
      // Whoever did the handshake has closed it.
      this.#closed = true;
      const error = this.error ?? asProxyError(thrown);
      metrics.tlsHandshakes.series(name, error.code).add();
      throw error;
    } finally {
      this.#abortHandshake = undefined;
    }
    metrics.tlsHandshakes.series(name, "ok").add();
    const fired = handles(this, POINT.handshake)
      ? runHandlers(this, POINT.handshake, this.view)
      : undefined;
    const verdict = fired instanceof Promise ? await fired : fired;
    return verdict === undefined;
  }

  /** Only now, past every refusal on layer 4, come buffers and deadlines. */
  #makeSocket(): Socket {
    const { env, initiator } = this;
    return new Socket(env.bytesOf(initiator.conn), clientOptions(env));
  }

  #serve(socket: Socket): Served {
    const served = this.#serving = this.protocol === "http"
      ? serveHttp1(this, socket)
      : serveTcp(this, socket);
    if (this.plane.draining || this.closing) served.drain();
    return served;
  }

  /** Ends it as soon as no transaction is at work. */
  drain(): void {
    this.closing = true;
    if (this.#introducing) this.abort(DRAINED);
    else this.#serving?.drain();
  }

  /** Ends it now. */
  abort(reason: ProxyError): void {
    this.error ??= reason;
    this.#serving?.abort(reason);
    this.#close(reason);
  }

  /** The connection closes after the current response: no further request is taken, pipelined ones neither. */
  closeAfter(): void {
    this.finished = true;
    this.drain();
  }

  /** A Host field in parts: the last one is remembered, a client seldom asks for another. */
  splitHost(field: string): HostParts {
    if (field !== this.#hostField) {
      this.#hostField = field;
      this.#hostParts = this.env.knownHosts.split(field);
    }
    return this.#hostParts;
  }

  /** The forwarding fields of this hop: the same for every request of a client that says the same. */
  get forwarding(): ForwardingFields {
    return this.#forwarding ??= new ForwardingFields(
      this.initiator,
      this.env.instance,
      this.env.knownClients,
    );
  }

  /** No further request is to come: what was made for many of them is let go. */
  settle(): void {
    this.#forwarding = undefined;
    this.#preface = undefined;
  }

  /**
   * What a backend's connection begins with that is to take `client` for its
   * client: the same for every request of a client.
   */
  preface(version: SentVersion, client: string): Preface {
    const known = this.#preface;
    if (known?.version === version && known.client === client) {
      return known.preface;
    }
    const preface = makePreface(version, client, this.initiator);
    this.#preface = { version, client, preface };
    return preface;
  }

  #close(reason?: ProxyError): void {
    const socket = this.#socket;
    if (this.#abortHandshake !== undefined) {
      this.#abortHandshake(reason ?? OVER);
    } else if (socket === undefined) {
      if (!this.#closed) this.initiator.conn.close();
      this.#closed = true;
    } else if (reason !== undefined) {
      socket.abort(reason);
    } else {
      socket.close();
    }
  }

  get id(): string {
    return this.#id ??= this.env.ids.next();
  }

  /** The listener's name. */
  get listener(): string {
    return this.listenerRuntime.name;
  }

  get protocol(): "http" | "tcp" {
    return this.listenerRuntime.protocol;
  }

  get bytesIn(): number {
    return this.#socket?.bytesIn ?? 0;
  }

  get bytesOut(): number {
    return this.#socket?.bytesOut ?? 0;
  }

  /** What plugins see of it. */
  get view(): SessionView {
    return this.#view ??= new SessionView(this);
  }

  /** Whether a plugin has seen it. */
  get isSeen(): boolean {
    return this.#view !== undefined;
  }

  /** What it does now, for listings. */
  get state(): string {
    if (this.#serving !== undefined) return this.#serving.state;
    if (this.#introducing) return "proxy header";
    return this.#abortHandshake === undefined ? "accept" : "handshake";
  }

  // ------------------------------------------------------------ HandlerOwner

  get table(): HandlerTable {
    return this.listenerRuntime.handlers;
  }

  get deadlines(): Deadlines {
    return this.env.deadlines;
  }

  handlerBegins(handler: BoundHandler): RunEnded | undefined {
    this.running = handler;
    const { observers } = this.listenerRuntime;
    if (observers === undefined) return undefined;
    const { plugin, point } = handler;
    return tellStarted(observers, {
      plugin,
      point,
      session: this.view,
      transaction: undefined,
      attempt: undefined,
    }, this.env.log);
  }

  handlerWaits(): void {
    // Outside of a transaction nobody reads: its client's end shows later.
  }

  handlerEnds(handler: BoundHandler): void {
    if (this.running === handler) this.running = undefined;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abortSignal(reason: unknown): void {
    this.#controller?.abort(reason);
    this.#controller = undefined;
  }

  handlerFailed(handler: BoundHandler, error: ProxyError): void {
    this.env.log.warn("A handler failed", {
      plugin: handler.plugin,
      point: handler.point,
      session: this.id,
      error,
    });
  }

  /** Whether it refers to no config that is over, and to nothing that plugins may count on to be let go with it. */
  get isLight(): boolean {
    return this.listenerRuntime.snapshot === this.plane.current &&
      this.sessionHandlers === undefined &&
      (this.#view === undefined || SessionView.isLight(this.#view));
  }

  /** `session.on`. */
  addHandler(point: PointName, run: AnyHandler): void {
    const bound = bindHandler(point, run, this.running, this.env.metrics);
    const handlers = this.sessionHandlers ??= [];
    handlers[POINT[point]] = withHandler(handlers[POINT[point]], bound);
  }
}

/** What clients' sockets go by, made once: connections are many. */
const CLIENT_OPTIONS = new WeakMap<PlaneEnv, SocketOptions>();

function clientOptions(env: PlaneEnv): SocketOptions {
  let options = CLIENT_OPTIONS.get(env);
  if (options === undefined) {
    options = {
      buffers: env.buffers,
      deadlines: env.deadlines,
      closedCode: "client_closed",
      total: env.clientBytes,
      buffer: "small",
    };
    CLIENT_OPTIONS.set(env, options);
  }
  return options;
}

const NO_HOST: HostParts = splitHost("");

const DRAINED = new ProxyError(
  "shutting_down",
  "The listener drains before a client is known",
);

const OVER = new ProxyError("client_closed", "The session is over");

/** Without a handshake of ours nothing is known of names. */
function coversAll(): boolean {
  return true;
}
