/**
 * A WebSocket session after its 101: the client's link, the backend's, and the
 * way to another backend.
 *
 * @module
 */
import { asProxyError } from "../errors.ts";
import type { Socket } from "../net/socket.ts";
import { ProxySession } from "../websocket/proxy_session.ts";
import type { DialRequest } from "../websocket/proxy_session.ts";
import { DialRefusal } from "../websocket/redial.ts";
import type { Dialled } from "../websocket/upstream.ts";
import { WebSocketLink } from "../websocket/websocket_link.ts";
import type { Attempt } from "./attempt.ts";
import { ask } from "./forward.ts";
import type { Outcome } from "./reply.ts";
import type { Response } from "./response.ts";
import { STATES } from "./states.ts";
import type { Transaction } from "./transaction.ts";
import { Tries } from "./tries.ts";
import { WebSocketSession } from "./websocket_session.ts";

/** Sends the 101 and serves the session until both sides are closed. Rejects with a ProxyError. */
export async function serveWebSocket(
  transaction: Transaction,
  response: Response,
  attempt: Attempt,
): Promise<void> {
  const { exchange, head, session: { env, plane } } = transaction;
  transaction.status = response.status;
  let client: Socket;
  try {
    client = await exchange.switchProtocols(response);
  } catch (thrown) {
    attempt.close();
    throw thrown;
  }
  transaction.move(STATES.tunnel);
  // Nobody gives these bytes back for as long as the session lives.
  head!.fields.keep();
  response.fields.keep();
  attempt.keepViews();
  client.settle();
  const { clock, deadlines } = env;
  const backend = linkTo(transaction, attempt);
  const settings = settingsOf(transaction);
  const own = new WebSocketSession(transaction, attempt.backend);
  const session = new ProxySession({
    client: link(transaction, client, "client"),
    backend,
    settings,
    clock,
    deadlines,
    hooks: {
      dial: (request) => redial(transaction, request),
      transmit: undefined,
      receive: undefined,
      moved: (_from, to, reason) => own.moved(to.backendId, reason),
      sizes: (backendId) => own.messageSizes(backendId),
      settled: () => plane.websocketSettled(own),
      replayed: (count) => env.metrics.websocketReplayed.series().add(count),
      gap: (milliseconds) =>
        env.metrics.websocketGap.series().observe(milliseconds / 1_000),
    },
  });
  own.begin(session);
  plane.websocketOpened(own);
  session.start();
  const { error } = await session.done;
  plane.websocketEnded(own);
  own.end();
  if (error !== undefined) transaction.fail(error);
}

/** What the session goes by, as its snapshot says. */
function settingsOf({ snapshot, cluster, listener }: Transaction) {
  const { websocket } = snapshot.cluster(cluster!)!.config;
  return {
    hold: websocket.hold,
    replay: websocket.replay === "none" ? undefined : websocket.replay,
    drain: websocket.drain,
    pongTimeout: websocket.pongTimeout,
    abnormalCodes: new Set(websocket.abnormalCodes),
    idle: listener.timeouts.tunnel,
  };
}

function link(
  transaction: Transaction,
  socket: Socket,
  peer: "client" | "server",
): WebSocketLink {
  const { snapshot, cluster, listener, session: { env } } = transaction;
  const { websocket } = snapshot.cluster(cluster!)!.config;
  return new WebSocketLink(socket, {
    peer,
    buffers: env.buffers,
    deadlines: env.deadlines,
    maxMessage: websocket.maxMessage,
    pingInterval: websocket.pingInterval,
    pongTimeout: websocket.pongTimeout,
    writeTimeout: listener.timeouts.write,
  });
}

/** The link over an attempt's connection, with which the attempt ends. */
function linkTo(transaction: Transaction, attempt: Attempt): Dialled {
  const socket = attempt.connection!.tunnel();
  const ended = socket.onClosed;
  socket.onClosed = () => {
    ended?.();
    attempt.close();
  };
  socket.settle();
  return {
    link: link(transaction, socket, "server"),
    backendId: attempt.backend.id,
  };
}

/** Another backend for a session that lives: points 12 to 15 fire as for any attempt. Rejects with a {@linkcode DialRefusal}. */
async function redial(
  transaction: Transaction,
  { leaving, replayed, signal }: DialRequest,
): Promise<Dialled> {
  const abandon = () => transaction.attempts.at(-1)?.close();
  signal.addEventListener("abort", abandon);
  let outcome: Outcome;
  try {
    outcome = await ask(
      transaction,
      new Tries(transaction, { leaving, replayed }),
    );
  } catch (thrown) {
    const error = asProxyError(thrown);
    throw new DialRefusal(error.message, {
      declined: error.side === "plugin",
      cause: error,
    });
  } finally {
    signal.removeEventListener("abort", abandon);
  }
  const attempt = outcome === "close" ? undefined : outcome.attempt;
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
  attempt.keepViews();
  return linkTo(transaction, attempt);
}
