/**
 * A plugin's valves without a session of WebSocket.
 *
 * @module
 */
import type {
  MessageValve,
  PluginParts,
  ProxySession,
  Transaction,
  WsMessage,
} from "../plugin.ts";
import { frontendId } from "../listener/frontend.ts";
import { formatSocket } from "../net/socket_address.ts";
import { fakeTransaction } from "./views.ts";

/** A message as tests write it: text, or bytes. */
export type TestMessage = string | Uint8Array;

/** The valves of one session. */
export interface RunningValves {
  /** As the plugin returned them. */
  readonly valves: readonly MessageValve[];
  /** What of a client's message comes to the backend; null where a valve discarded it. */
  toBackend(message: TestMessage): TestMessage | null;
  /** What of a backend's message comes to the client; null where a valve discarded it. */
  toClient(message: TestMessage): TestMessage | null;
}

/** A session on a backend, as valves and listeners of sessions see it. */
export function fakeProxySession(
  transaction: Transaction = fakeTransaction(),
): ProxySession {
  return {
    id: transaction.id,
    transaction,
    frontend: {
      id: "f1",
      frontendId: frontendId(formatSocket(transaction.session.local)),
      start() {},
      close() {},
    },
    backend: { id: "b1", backendId: "a1", start() {}, close() {} },
  };
}

/**
 * Asks a plugin for its valves, as a session does before its first message.
 * Messages pass them in the order of sessions: to the backend in the list's, to
 * the client in the reverse. What a valve throws comes out here, where a session
 * would count it and discard the message, and so does an answer that is neither
 * a message nor null. Throws a `TypeError` for a plugin without valves.
 */
export function openValves(
  { valves: provider }: PluginParts,
  session: ProxySession = fakeProxySession(),
): RunningValves {
  if (provider === undefined) {
    throw new TypeError("The plugin has no valves");
  }
  const valves = provider.addValves(session, []);
  return {
    valves,
    toBackend: (message) => pass(message, valves, "beforeTransmit"),
    toClient: (message) => pass(message, valves.toReversed(), "afterReceive"),
  };
}

function pass(
  message: TestMessage,
  valves: readonly MessageValve[],
  way: keyof MessageValve,
): TestMessage | null {
  let current = toMessage(message);
  for (const valve of valves) {
    const change = valve[way];
    if (change === undefined) continue;
    const changed: unknown = change(current);
    if (changed === null) return null;
    if (!isMessage(changed)) {
      throw new TypeError(
        `${way} must answer a message or null: it answered ${
          Deno.inspect(changed)
        }`,
      );
    }
    current = changed;
  }
  return current.type === 1
    ? new TextDecoder("utf-8", { fatal: true }).decode(current.data)
    : current.data;
}

function isMessage(answer: unknown): answer is WsMessage {
  return typeof answer === "object" && answer !== null && "type" in answer &&
    (answer.type === 1 || answer.type === 2) && "data" in answer &&
    answer.data instanceof Uint8Array;
}

function toMessage(message: TestMessage): WsMessage {
  return typeof message === "string"
    ? { type: 1, data: new TextEncoder().encode(message) }
    : { type: 2, data: message };
}
