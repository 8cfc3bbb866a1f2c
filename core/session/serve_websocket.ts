/**
 * A WebSocket session after its 101: the client's link, the backend's, and the
 * way to another backend.
 *
 * @module
 */
import type { WebSocketConfig } from "../config/config_cluster_parts.ts";
import { asProxyError } from "../errors.ts";
import type { Socket } from "../net/socket.ts";
import type { ConnectionDeclinedError } from "../plugin.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { BackendSide, MessageSizes } from "../websocket/backend_side.ts";
import { ProxySession } from "../websocket/proxy_session.ts";
import type {
  DialRequest,
  Gate,
  MoveReason,
  SessionOwner,
  SessionSettings,
} from "../websocket/session_owner.ts";
import { DialRefusal } from "../websocket/redial.ts";
import { isDeclined } from "../ws.ts";
import type { Attempt } from "./attempt.ts";
import { dialForeign, ForeignBackend } from "./foreign_backend.ts";
import type { Lasting } from "./exchange.ts";
import { ask, responseTimeout } from "./forward.ts";
import { makeLink, OwnBackend } from "./own_backend.ts";
import type { Outcome } from "./reply.ts";
import type { Response } from "./response.ts";
import type { Session } from "./session.ts";
import { STATES } from "./states.ts";
import type { Transaction } from "./transaction.ts";
import { Tries } from "./tries.ts";
import type { Gates } from "./valves.ts";
import type { BoundDialer } from "./websocket_parts.ts";
import { type SessionBackend, WebSocketSession } from "./websocket_session.ts";

/** Sends the 101 and begins the session, which lasts until both sides are closed. Rejects with a ProxyError. */
export async function serveWebSocket(
  transaction: Transaction,
  response: Response,
  first: Attempt | ForeignBackend,
): Promise<Lasting> {
  const { exchange, head, session: { env, plane } } = transaction;
  transaction.status = response.status;
  let client: Socket;
  try {
    client = await exchange.switchProtocols(response);
  } catch (thrown) {
    first.close();
    throw thrown;
  }
  transaction.move(STATES.tunnel);
  // Nobody gives these bytes back for as long as the session lives.
  head!.fields.keep();
  if (transaction.isSeen) response.fields.keep();
  else transaction.response = undefined;
  transaction.session.settle();
  client.settle();
  const backend = first instanceof ForeignBackend
    ? first
    : new OwnBackend(transaction, first);
  const own = new WebSocketSession(transaction, backend);
  const gates = own.begin();
  const session = new ProxySession({
    client: makeLink(transaction, client, "client"),
    backend,
    settings: settingsOf(transaction, backend),
    buffers: env.buffers,
    clock: env.clock,
    deadlines: env.deadlines,
    turnstiles: env.turnstiles,
    owner: new Owner(own, gates),
  });
  own.run(session, () => plane.websocketOpened(own));
  return new LastingSession(own);
}

/** A session that goes on. */
class LastingSession implements Lasting {
  readonly #session: WebSocketSession;

  constructor(session: WebSocketSession) {
    this.#session = session;
  }

  get over(): Promise<unknown> {
    return this.#session.proxy.done;
  }

  end(): void {
    const { transaction, proxy: { end } } = this.#session;
    transaction.session.plane.websocketEnded(this.#session);
    this.#session.end();
    if (end?.error !== undefined) transaction.fail(end.error);
  }
}

/** What a session's machine asks of its surroundings; an object and no closures, as idle sessions are many. */
class Owner implements SessionOwner {
  readonly transmit: Gate | undefined;
  readonly receive: Gate | undefined;
  readonly #session: WebSocketSession;

  constructor(session: WebSocketSession, { transmit, receive }: Gates) {
    this.#session = session;
    this.transmit = transmit;
    this.receive = receive;
  }

  dial(request: DialRequest): Promise<SessionBackend> {
    const { transaction, backend } = this.#session;
    return dialAgain(transaction, request, backend);
  }

  moved(_from: BackendSide, to: BackendSide, reason: MoveReason): void {
    // `dial` has brought it.
    this.#session.moved(to.dialled as SessionBackend, reason);
  }

  sizes(backendId: string): MessageSizes {
    return this.#session.messageSizes(backendId);
  }

  settled(): void {
    this.#connection.plane.websocketSettled(this.#session);
  }

  replayed(count: number): void {
    this.#connection.env.metrics.websocketReplayed.series().add(count);
  }

  gap(milliseconds: number): void {
    const { websocketGap } = this.#connection.env.metrics;
    websocketGap.series().observe(milliseconds / 1_000);
  }

  get #connection(): Session {
    return this.#session.transaction.session;
  }
}

/** What sessions of one cluster and listener go by, made once. */
const SETTINGS = {
  own: new WeakMap<WebSocketConfig, SessionSettings>(),
  foreign: new WeakMap<WebSocketConfig, SessionSettings>(),
};

/** What the session goes by, as its snapshot says. */
function settingsOf(
  { snapshot, cluster, listener }: Transaction,
  { dialer }: SessionBackend,
): SessionSettings {
  const { websocket } = snapshot.cluster(cluster!)!.config;
  const idle = listener.timeouts.tunnel;
  const known = SETTINGS[dialer === undefined ? "own" : "foreign"];
  let settings = known.get(websocket);
  if (settings?.idle === idle) return settings;
  // Nobody can tell what a dialer's backend has read.
  const replays = dialer === undefined && websocket.replay !== "none";
  settings = {
    hold: websocket.hold,
    replay: replays ? websocket.replay : undefined,
    drain: websocket.drain,
    pongTimeout: websocket.pongTimeout,
    abnormalCodes: new Set(websocket.abnormalCodes),
    idle,
  };
  known.set(websocket, settings);
  return settings;
}

/** Another backend for a session that lives, as the current config has them. Rejects with a {@linkcode DialRefusal}. */
function dialAgain(
  transaction: Transaction,
  request: DialRequest,
  from: SessionBackend,
): Promise<SessionBackend> {
  const dialer = currentSnapshot(transaction).dialer(transaction.cluster!);
  return dialer === undefined
    ? dialOwn(transaction, request, from)
    : dialDialer(transaction, dialer, request, from);
}

/** A session outlives snapshots: what it is dialled by is the current config, unless that has no such cluster. */
function currentSnapshot(
  { snapshot, cluster, session: { plane: { current } } }: Transaction,
): Snapshot {
  return current.cluster(cluster!) === undefined ? snapshot : current;
}

/** A dialer's choice. */
async function dialDialer(
  transaction: Transaction,
  dialer: BoundDialer,
  { leaving, replayed, signal }: DialRequest,
  from: SessionBackend,
): Promise<SessionBackend> {
  const snapshot = currentSnapshot(transaction);
  const cluster = snapshot.cluster(transaction.cluster!)!;
  const known = from instanceof ForeignBackend &&
    from.dialer.dialer === dialer.dialer;
  try {
    return await dialForeign(transaction, {
      dialer,
      snapshot,
      timeout: responseTimeout(transaction, cluster),
      again: { leaving, replayed },
      old: known ? from.connection : undefined,
      signal,
    });
  } catch (thrown) {
    const declined = isDeclined(thrown);
    if (declined) discard(thrown);
    const { message } = asProxyError(thrown);
    throw new DialRefusal(message, { declined, cause: thrown });
  }
}

/** What was to be the client's response: it has had one. */
function discard({ response }: ConnectionDeclinedError): void {
  const body = response?.body;
  if (body instanceof Deno.FsFile) body.close();
  else if (body instanceof ReadableStream && !body.locked) {
    // A stream that fails while it is given up has told nobody anything new.
    body.cancel().catch(() => {});
  }
}

/** One of the cluster's own: points 12 to 15 fire as for any attempt. */
async function dialOwn(
  transaction: Transaction,
  request: DialRequest,
  from: SessionBackend,
): Promise<SessionBackend> {
  const { leaving } = request;
  const cluster = currentSnapshot(transaction).cluster(transaction.cluster!)!;
  const known = leaving === undefined ? undefined : cluster.find(leaving);
  let outcome: Outcome;
  try {
    outcome = await askAgain(transaction, {
      ...request,
      // Another backend that has its id now is as good as any.
      leaving: known?.url.href === from.url ? leaving : undefined,
    });
  } catch (thrown) {
    const error = asProxyError(thrown);
    throw new DialRefusal(error.message, {
      declined: error.side === "plugin",
      cause: error,
    });
  }
  const attempt = outcome === "close" ? undefined : outcome.attempt;
  if (request.signal.aborted) {
    // The transaction's state is the next search's by now.
    attempt?.close();
    throw new DialRefusal("nobody waits for it", { declined: false });
  }
  if (attempt === undefined || attempt.status !== 101) {
    if (outcome !== "close") outcome.body?.cancel();
    attempt?.close();
    throw new DialRefusal(
      attempt === undefined
        ? "a handler refuses the session"
        : `the backend refuses the session with ${attempt.status}`,
      { declined: true },
    );
  }
  transaction.move(STATES.tunnel);
  return new OwnBackend(transaction, attempt);
}

/** Asks backends until one answers, or nobody wants it any more. Rejects with a ProxyError. */
async function askAgain(
  transaction: Transaction,
  { leaving, replayed, signal }: DialRequest,
): Promise<Outcome> {
  const tries = new Tries(transaction, { leaving, replayed });
  const abandon = () => tries.abandon();
  signal.addEventListener("abort", abandon);
  try {
    return await ask(transaction, tries);
  } finally {
    signal.removeEventListener("abort", abandon);
  }
}
