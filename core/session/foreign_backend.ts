/**
 * A session's backend that a plugin's dialer brings: asked for, checked, and
 * linked to the session by two channels.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import type { Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { BackendConnection, BackendDialContext } from "../plugin.ts";
import { guardConnection } from "../plugins/guard_websocket.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { ChannelLink } from "../websocket/channel_link.ts";
import { DialChannels } from "../websocket/dial_channels.ts";
import { isDeclined, isUnavailable } from "../ws.ts";
import { dialHeaders } from "./outgoing_request.ts";
import type { Transaction } from "./transaction.ts";
import type { Again } from "./tries.ts";
import type { BoundDialer } from "./websocket_parts.ts";
import type { SessionBackend } from "./websocket_session.ts";

/** What is wanted of a dialer. */
export interface ForeignDial {
  readonly dialer: BoundDialer;
  /** Whose dialer it is: held for as long as the connection lives. */
  readonly snapshot: Snapshot;
  /** Milliseconds that it may take. */
  readonly timeout: number;
  /** Undefined but for a session that lives already. */
  readonly again: Again | undefined;
  /** What the session had before, where the same dialer made it. */
  readonly old: BackendConnection | undefined;
  /** Fires when nobody wants the connection any more. */
  readonly signal: AbortSignal;
}

/** A backend of a dialer's. */
export class ForeignBackend implements SessionBackend {
  readonly dialer: BoundDialer;
  readonly url: undefined;
  readonly link: ChannelLink;
  readonly backendId: string;
  readonly connection: BackendConnection;

  constructor(
    dialer: BoundDialer,
    connection: BackendConnection,
    link: ChannelLink,
  ) {
    this.dialer = dialer;
    this.connection = connection;
    this.link = link;
    // Once and for all: metrics and moves go by it.
    this.backendId = connection.backendId;
  }

  /** Nobody wants it. */
  close(): void {
    this.link.abort(UNWANTED);
  }

  view(): BackendConnection {
    return this.connection;
  }
}

/**
 * Asks a dialer for a connection. Rejects with the dialer's own
 * RemoteSystemError, else with a ProxyError.
 */
export async function dialForeign(
  transaction: Transaction,
  dial: ForeignDial,
): Promise<ForeignBackend> {
  const { dialer, snapshot, again } = dial;
  const { attempts } = transaction.session.env.metrics;
  const websocket = transaction.websocket!;
  const channels = new DialChannels(
    snapshot.cluster(transaction.cluster!)!.config.websocket.maxMessage,
  );
  snapshot.retain();
  let connection: BackendConnection;
  try {
    connection = await callDialer(transaction, dial, channels);
  } catch (thrown) {
    snapshot.release();
    if (isDeclined(thrown) || isUnavailable(thrown)) {
      // A backend that declines works.
      const result = isDeclined(thrown) ? "ok" : "failed";
      attempts.series(transaction.cluster!, String(thrown.id), result).add();
    }
    throw thrown;
  }
  const { env } = transaction.session;
  const link = new ChannelLink(connection, channels, {
    deadlines: env.deadlines,
    takeTimeout: transaction.listener.timeouts.write,
    failed: (call, thrown) => dialerFailed(transaction, dialer, call, thrown),
    over: () => snapshot.release(),
  });
  const backend = new ForeignBackend(dialer, connection, link);
  try {
    const chosen = connection.subprotocol || undefined;
    if (again === undefined) websocket.settle(chosen);
    else websocket.settleAgain(chosen);
  } catch (thrown) {
    attempts.series(transaction.cluster!, backend.backendId, "failed").add();
    backend.close();
    throw thrown;
  }
  attempts.series(transaction.cluster!, backend.backendId, "ok").add();
  return backend;
}

/** The dialer's answer, checked, unless it comes too late. */
async function callDialer(
  transaction: Transaction,
  dial: ForeignDial,
  channels: DialChannels,
): Promise<BackendConnection> {
  const { dialer, signal, timeout } = dial;
  const { deadlines } = transaction.session.env;
  const ended = new AbortController();
  const context = contextOf(transaction, dial, channels, ended.signal);
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const giveUp = (reason: ProxyError) => {
    ended.abort(reason);
    reject(reason);
  };
  const deadline: Expiring = {
    place: NOWHERE,
    deadline: deadlines.after(timeout),
    expire: () =>
      giveUp(
        new ProxyError(
          "backend_timeout",
          `The dialer "${dialer.name}" brought no connection within ${timeout} ms`,
        ),
      ),
  };
  const leave = () => giveUp(transaction.gone ?? UNWANTED);
  signal.addEventListener("abort", leave);
  deadlines.add(deadline);
  const asked = ask(dialer, context);
  try {
    if (signal.aborted) leave();
    return await Promise.race([asked, givenUp]);
  } catch (thrown) {
    if (ended.signal.aborted) {
      // What comes too late is closed then; what fails too late is nobody's loss.
      asked.then((late) => late.close()).catch(() => {});
      throw thrown;
    }
    if (isDeclined(thrown) || isUnavailable(thrown)) throw thrown;
    throw dialerFailed(transaction, dialer, "dialUpstream", thrown);
  } finally {
    signal.removeEventListener("abort", leave);
    deadlines.delete(deadline);
  }
}

async function ask(
  { dialer }: BoundDialer,
  context: BackendDialContext,
): Promise<BackendConnection> {
  return guardConnection(await dialer.dialUpstream(context));
}

function contextOf(
  transaction: Transaction,
  { again, old }: ForeignDial,
  channels: DialChannels,
  signal: AbortSignal,
): BackendDialContext {
  const request = transaction.request!;
  const scheme = transaction.scheme === "https" ? "wss" : "ws";
  const host = request.headers.get("host") ?? "";
  return Object.freeze({
    url: `${scheme}://${host}${request.target}`,
    headers: dialHeaders(transaction, again),
    fromFrontend: channels.fromFrontend,
    toFrontend: channels.sender,
    oldConnection: old,
    leaving: again?.leaving,
    request,
    signal,
  });
}

/** A dialer or one of its connections failed: counted, logged. */
export function dialerFailed(
  { id, session: { env } }: Transaction,
  { name, plugin }: BoundDialer,
  point: string,
  thrown: unknown,
): ProxyError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const error = new ProxyError(
    "handler_error",
    `The dialer "${name}" of plugin "${plugin}" failed at ${point}: ${message}`,
    { cause: thrown },
  );
  env.metrics.handlerErrors.series(plugin, point).add();
  env.log.warn("A dialer failed", { plugin, point, websocket: id, error });
  return error;
}

const UNWANTED = new ProxyError(
  "client_closed",
  "Nobody wants the connection any more",
);
