/**
 * The valves of one session: gathered from their providers, then run on every
 * message.
 *
 * @module
 */
import { asProxyError, ProxyError } from "../errors.ts";
import type {
  MessageValve,
  PassMessage,
  ProxySession,
  ValveProvider,
  WsMessage,
} from "../plugin.ts";
import { kindOf } from "../plugins/guard_kinds.ts";
import { guardValveList } from "../plugins/guard_websocket.ts";
import { checkMessage } from "../websocket/dial_channels.ts";
import type { MessageKind } from "../websocket/link.ts";
import type { Gate } from "../websocket/session_owner.ts";
import type { BoundPart } from "./websocket_parts.ts";

/** A session's valves in both directions; undefined where there is none. */
export interface Gates {
  readonly transmit: Gate | undefined;
  readonly receive: Gate | undefined;
}

/** What valves tell of their failures. */
export interface ValveEvents {
  /** A provider failed. */
  readonly providerFailed: (plugin: string, thrown: unknown) => void;
  /** A valve failed; `first` says whether it is the valve's first time in this session. */
  readonly valveFailed: (
    plugin: string,
    point: keyof MessageValve,
    thrown: unknown,
    first: boolean,
  ) => void;
}

/** Asks the providers for a session's valves. Throws a ProxyError where one fails whose failures refuse. */
export function gatherValves(
  providers: readonly BoundPart<ValveProvider>[],
  session: ProxySession,
  events: ValveEvents,
): Gates {
  let list: readonly MessageValve[] = Object.freeze([]);
  const owners = new Map<MessageValve, string>();
  for (const { plugin, onError, part } of providers) {
    try {
      list = guardValveList(part.addValves(session, list));
      for (const valve of list) {
        if (!owners.has(valve)) owners.set(valve, plugin);
      }
    } catch (thrown) {
      events.providerFailed(plugin, thrown);
      if (onError === "ignore") continue;
      throw new ProxyError(
        "handler_error",
        `Plugin "${plugin}" failed at addValves: ${
          asProxyError(thrown).message
        }`,
        { cause: thrown },
      );
    }
  }
  const gate = (point: keyof MessageValve, valves: readonly MessageValve[]) =>
    gateOf(valves.flatMap((valve) => {
      const pass = valve[point];
      return pass === undefined
        ? []
        : new Step(point, valve, pass, owners.get(valve)!, events);
    }));
  return {
    transmit: gate("beforeTransmit", list),
    receive: gate("afterReceive", list.toReversed()),
  };
}

function gateOf(steps: readonly Step[]): Gate | undefined {
  if (steps.length === 0) return undefined;
  return (kind: MessageKind, bytes: Uint8Array) => {
    // A copy: valves may keep it, and the buffer holds others' messages too.
    let message: WsMessage = { type: kind, data: bytes.slice() };
    for (const step of steps) {
      const passed = step.run(message);
      if (passed === null) return null;
      message = passed;
    }
    return message;
  };
}

/** One valve in one direction. */
class Step {
  readonly #point: keyof MessageValve;
  readonly #valve: MessageValve;
  readonly #pass: PassMessage;
  readonly #plugin: string;
  readonly #events: ValveEvents;
  #failed = false;

  constructor(
    point: keyof MessageValve,
    valve: MessageValve,
    pass: PassMessage,
    plugin: string,
    events: ValveEvents,
  ) {
    this.#point = point;
    this.#valve = valve;
    this.#pass = pass;
    this.#plugin = plugin;
    this.#events = events;
  }

  /** What the valve makes of it; null also where it fails. Never throws. */
  run(message: WsMessage): WsMessage | null {
    try {
      const answer = this.#pass.call(this.#valve, message);
      if (answer === null) return null;
      checkAnswer(answer);
      return answer;
    } catch (thrown) {
      const first = !this.#failed;
      this.#failed = true;
      this.#events.valveFailed(this.#plugin, this.#point, thrown, first);
      return null;
    }
  }
}

/** Throws a `TypeError` for what is no message. */
function checkAnswer(answer: WsMessage): void {
  const type = answer?.type;
  if (type === 1 || type === 2) {
    checkMessage(answer, "pass");
    return;
  }
  if ((answer as unknown) instanceof Promise) {
    // It fails in vain: nobody waits for it.
    (answer as unknown as Promise<unknown>).catch(() => {});
  }
  throw new TypeError(
    `A valve must return a message or null: it returned ${kindOf(answer)}`,
  );
}
