/**
 * Checks the parts of a plugin that have to do with WebSocket sessions: at load
 * time their shapes, at run time what they return.
 *
 * @module
 */
import type {
  BackendAdministrator,
  BackendConnection,
  BackendDialer,
  MessageValve,
  SessionListener,
  ValveProvider,
} from "../plugin.ts";
import { isAsync, isObject, isRecord, kindOf } from "./guard_kinds.ts";

/** Refuses a part for a reason. */
export type Refuse = (reason: string) => never;

// deno-lint-ignore no-explicit-any -- what plugins' functions take their types say
type AnyFunction = (...args: any[]) => unknown;

const DIALER_NAME = /^[A-Za-z0-9._-]{1,64}$/;

const LISTENER_CALLS = ["sessionCreated", "sessionTerminated"] as const;

const VALVE_CALLS = ["beforeTransmit", "afterReceive"] as const;

const ADMINISTRATOR_CALLS = [
  "list",
  "add",
  "config",
  "disable",
  "enable",
  "delete",
  "reset",
] as const satisfies readonly (keyof BackendAdministrator)[];

/** `valves`, so that what was checked is what runs. */
export function guardValves(value: unknown, refuse: Refuse): ValveProvider {
  if (!isObject(value)) {
    refuse(`valves must be an object with addValves: it is ${kindOf(value)}`);
  }
  const addValves = call(value, "addValves", "valves.addValves", refuse);
  if (isAsync(addValves)) {
    refuse("valves.addValves must not be async: nothing waits for it");
  }
  return Object.freeze({ addValves: bind(addValves, value) }) as ValveProvider;
}

/** `sessionListener`. */
export function guardSessionListener(
  value: unknown,
  refuse: Refuse,
): SessionListener {
  if (
    !isObject(value) ||
    LISTENER_CALLS.every((name) => value[name] === undefined)
  ) {
    refuse(
      `sessionListener must be an object with sessionCreated or sessionTerminated: ${
        kindOf(value)
      } is none`,
    );
  }
  return Object.freeze(Object.fromEntries(
    LISTENER_CALLS.filter((name) => value[name] !== undefined).map((name) => [
      name,
      bind(call(value, name, `sessionListener.${name}`, refuse), value),
    ]),
  ));
}

/** `dialers` by their names. */
export function guardDialers(
  value: unknown,
  refuse: Refuse,
): Readonly<Record<string, BackendDialer>> {
  if (!isRecord(value)) {
    refuse(
      `dialers must be an object of dialers by name: it is ${kindOf(value)}`,
    );
  }
  return Object.freeze(Object.fromEntries(
    Object.entries(value).map(([name, dialer]) => {
      if (!DIALER_NAME.test(name)) {
        refuse(
          `the dialer ${
            JSON.stringify(name)
          } can't be named in a config: its name must be 1 to 64 letters, digits, ".", "_" or "-"`,
        );
      }
      return [name, guardDialer(dialer, name, refuse)];
    }),
  ));
}

function guardDialer(
  value: unknown,
  name: string,
  refuse: Refuse,
): BackendDialer {
  if (!isObject(value)) {
    refuse(
      `the dialer ${name} must be an object with dialUpstream: it is ${
        kindOf(value)
      }`,
    );
  }
  const what = `dialUpstream of the dialer ${name}`;
  const dialUpstream = bind(call(value, "dialUpstream", what, refuse), value);
  const { administrator } = value;
  return Object.freeze({
    dialUpstream,
    ...(administrator !== undefined && {
      administrator: guardAdministrator(administrator, name, refuse),
    }),
  }) as BackendDialer;
}

function guardAdministrator(
  value: unknown,
  name: string,
  refuse: Refuse,
): BackendAdministrator {
  const whose = `the administrator of the dialer ${name}`;
  if (!isObject(value)) {
    refuse(`${whose} must be an object of functions: it is ${kindOf(value)}`);
  }
  return Object.freeze(Object.fromEntries(
    ADMINISTRATOR_CALLS.map((each) => [
      each,
      bind(call(value, each, `${each} of ${whose}`, refuse), value),
    ]),
  )) as unknown as BackendAdministrator;
}

function call(
  value: Record<string, unknown>,
  name: string,
  what: string,
  refuse: Refuse,
): AnyFunction {
  const found = value[name];
  if (typeof found !== "function") {
    refuse(`${what} must be a function: it is ${kindOf(found)}`);
  }
  return found as AnyFunction;
}

/** Called as the method that it is. */
function bind(method: AnyFunction, of: object): AnyFunction {
  return (...args) => method.apply(of, args);
}

// ------------------------------------------------------------------- run time

/** What `addValves` returned. Throws a `TypeError` for what is no list of valves. */
export function guardValveList(value: unknown): readonly MessageValve[] {
  if (!Array.isArray(value)) {
    throw new TypeError(
      `addValves must return a list of valves: it returned ${kindOf(value)}`,
    );
  }
  value.forEach((valve, i) => guardValve(valve, i));
  // A copy: the next provider gets it, and may not change it for others.
  return Object.freeze([...value]);
}

function guardValve(value: unknown, index: number): void {
  const whose = `the valve ${index} that addValves returned`;
  if (
    !isObject(value) || VALVE_CALLS.every((name) => value[name] === undefined)
  ) {
    throw new TypeError(
      `${whose} must be an object with beforeTransmit or afterReceive: ${
        kindOf(value)
      } is none`,
    );
  }
  for (const name of VALVE_CALLS) {
    const pass = value[name];
    if (pass === undefined) continue;
    if (typeof pass !== "function" || isAsync(pass)) {
      throw new TypeError(
        `${name} of ${whose} must be a function that is not async: it is ${
          kindOf(pass)
        }`,
      );
    }
  }
}

/** What `dialUpstream` answered. Throws a `TypeError` for what is no connection. */
export function guardConnection(value: unknown): BackendConnection {
  if (!isObject(value)) {
    throw new TypeError(
      `dialUpstream must answer a connection: it answered ${kindOf(value)}`,
    );
  }
  for (const name of ["start", "close"]) {
    if (typeof value[name] === "function") continue;
    throw new TypeError(
      `${name} of what dialUpstream answered must be a function: it is ${
        kindOf(value[name])
      }`,
    );
  }
  for (const name of ["id", "backendId"]) {
    const id = value[name];
    if (typeof id === "string" && id !== "") continue;
    throw new TypeError(
      `${name} of what dialUpstream answered must be a text: it is ${
        id === "" ? "empty" : kindOf(id)
      }`,
    );
  }
  const { subprotocol } = value;
  if (subprotocol !== undefined && typeof subprotocol !== "string") {
    throw new TypeError(
      `subprotocol of what dialUpstream answered must be a text: it is ${
        kindOf(subprotocol)
      }`,
    );
  }
  return value as unknown as BackendConnection;
}
