/**
 * What operators ask of a dialer's backends: the plugin's administrator called,
 * its answers checked, its failures told.
 *
 * @module
 */
import { within } from "../net/within.ts";
import type { BackendAdministrator } from "../plugin.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { BoundDialer } from "../session/websocket_parts.ts";
import type { AdministerAction, Administered } from "./control.ts";

/** Asks it; undefined where there is none to ask. Never rejects. */
export async function askAdministrator(
  env: PlaneEnv,
  bound: BoundDialer | undefined,
  action: AdministerAction,
  argument: string,
): Promise<Administered | undefined> {
  const administrator = bound?.dialer.administrator;
  if (bound === undefined || administrator === undefined) return undefined;
  const { plugin, timeout } = bound;
  const answer = ask(administrator, action, argument);
  try {
    return await within(env.clock, timeout, answer, () => {
      throw new Error(`No answer within ${timeout} ms`);
    });
  } catch (thrown) {
    if (thrown instanceof NoJson) return { result: 4 };
    env.metrics.handlerErrors.series(plugin, action).add();
    env.log.warn("An administrator of backends failed", {
      plugin,
      action,
      error: thrown,
    });
    return { result: 4 };
  }
}

/** An operator sent what is no JSON. */
class NoJson extends Error {}

async function ask(
  administrator: BackendAdministrator,
  action: AdministerAction,
  argument: string,
): Promise<Administered> {
  switch (action) {
    case "list":
      return inJson(await administrator.list());
    case "config":
      return inJson(await administrator.config(argument));
    case "add":
      return inJson(await administrator.add(parse(argument)));
    default:
      return checked(await administrator[action](argument));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NoJson("Not JSON", { cause });
  }
}

function inJson(value: unknown): Administered {
  const json = JSON.stringify(value);
  if (json === undefined) {
    throw new TypeError("An administrator must answer what JSON can say");
  }
  return { result: 1, json };
}

function checked(result: unknown): Administered {
  if (result === 1 || result === 3 || result === 4) return { result };
  throw new TypeError(
    "An administrator must answer 1 (done), 3 (nothing to do) or 4 (failed)",
  );
}
