/**
 * Checks what comes from a plugin's module at load time: the compiler could not,
 * if it is untyped JavaScript.
 *
 * @module
 */
import { CALLBACK_POINTS, type CallbackPointSpec } from "../callback_points.ts";
import type { AdminApp, Plugin, PluginParts } from "../plugin.ts";
import { isAsync, isObject, isRecord, kindOf } from "./guard_kinds.ts";
import {
  guardDialers,
  guardSessionListener,
  guardValves,
  type Refuse,
} from "./guard_websocket.ts";
import { type PluginLoadCode, PluginLoadError } from "./plugin_load_error.ts";
import { didYouMean } from "../text/suggest.ts";

/** Which plugin's values are checked, for refusals. */
export interface PluginPlace {
  /** The plugin as the config names it. */
  readonly use: string;
  /** The instance's name. */
  readonly name: string;
}

const POINTS: ReadonlyMap<string, CallbackPointSpec> = new Map(
  CALLBACK_POINTS.map((row) => [row.name, row]),
);

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const CONDITION_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const PARTS = [
  "handlers",
  "conditions",
  "balancers",
  "valves",
  "sessionListener",
  "dialers",
  "backendChanged",
  "handlerStarted",
  "admin",
  "close",
];

/** The plugin that a module exports. Throws a {@linkcode PluginLoadError}. */
export function guardPlugin(module: unknown, use: string): Plugin {
  function refuse(code: PluginLoadCode, detail: string): never {
    throw new PluginLoadError(use, code, detail);
  }
  if (!isObject(module) || !("default" in module)) {
    refuse("no_default_export", "its module has no default export");
  }
  const plugin = module.default;
  if (!isObject(plugin)) {
    refuse(
      "bad_plugin",
      `its default export must be an object with name and setup: it is ${
        kindOf(plugin)
      }`,
    );
  }
  const { name, setup, options } = plugin;
  if (typeof name !== "string" || !NAME.test(name)) {
    refuse(
      "bad_plugin",
      `its name must be 1 to 64 letters, digits, ".", "_" or "-": current value is ${
        typeof name === "string" ? JSON.stringify(name) : kindOf(name)
      }`,
    );
  }
  if (typeof setup !== "function") {
    refuse(
      "bad_plugin",
      `its setup must be a function: it is ${kindOf(setup)}`,
    );
  }
  if (options !== undefined && !isStandardSchema(options)) {
    refuse(
      "bad_plugin",
      `its options must be a Standard Schema (zod, valibot, arktype …): ${
        kindOf(options)
      } is none`,
    );
  }
  return plugin as unknown as Plugin;
}

/**
 * What `setup` returned, with handlers and conditions copied, so that what was
 * checked is what runs. Throws a {@linkcode PluginLoadError}.
 */
export function guardParts(value: unknown, place: PluginPlace): PluginParts {
  if (!isObject(value)) {
    refuseParts(
      place,
      `setup must return an object of parts: it returned ${kindOf(value)}`,
    );
  }
  for (const key of Object.keys(value)) {
    if (!PARTS.includes(key)) {
      refuseParts(
        place,
        `"${key}" is no part of a plugin${didYouMean(key, PARTS)}`,
      );
    }
  }
  const { handlers, conditions, balancers } = value;
  const { valves, sessionListener, dialers, admin } = value;
  const refuse = (reason: string) => refuseParts(place, reason);
  const backendChanged = guardFunction(value, "backendChanged", place);
  const handlerStarted = guardFunction(value, "handlerStarted", place);
  if (handlerStarted !== undefined && isAsync(handlerStarted)) {
    refuse("handlerStarted must not be async: nothing waits for it");
  }
  const close = guardFunction(value, "close", place);
  return {
    ...(handlers !== undefined &&
      { handlers: guardHandlers(handlers, place) }),
    ...(conditions !== undefined &&
      { conditions: guardConditions(conditions, place) }),
    ...(balancers !== undefined &&
      { balancers: guardBalancers(balancers, place) }),
    ...(valves !== undefined && { valves: guardValves(valves, refuse) }),
    ...(sessionListener !== undefined &&
      { sessionListener: guardSessionListener(sessionListener, refuse) }),
    ...(dialers !== undefined && { dialers: guardDialers(dialers, refuse) }),
    ...(backendChanged !== undefined &&
      {
        backendChanged: (event: unknown) => backendChanged.call(value, event),
      }),
    ...(handlerStarted !== undefined &&
      { handlerStarted: (run: unknown) => handlerStarted.call(value, run) }),
    ...(admin !== undefined && { admin: guardAdmin(admin, refuse) }),
    ...(close !== undefined && { close: () => close.call(value) }),
  } as PluginParts;
}

/** A part that must be a function where it is there. */
function guardFunction(
  parts: Record<string, unknown>,
  name: string,
  place: PluginPlace,
  // deno-lint-ignore ban-types -- any function, only its kind is looked at
): Function | undefined {
  const part = parts[name];
  if (part === undefined || typeof part === "function") return part;
  refuseParts(place, `${name} must be a function: it is ${kindOf(part)}`);
}

/** `admin`: a Hono app, or what has a `fetch` as it has. */
function guardAdmin(value: unknown, refuse: Refuse): AdminApp {
  if (!isObject(value) || typeof value.fetch !== "function") {
    refuse(`admin must be an object with fetch: ${kindOf(value)} is none`);
  }
  const { fetch } = value;
  return Object.freeze({
    fetch: (request: Request) => fetch.call(value, request),
  });
}

/**
 * Refuses handlers that a plugin limited to `products` can't have: at points
 * before the product is known, and at finish. Throws a {@linkcode PluginLoadError}.
 */
export function guardProductScope(
  parts: PluginParts,
  place: PluginPlace,
): void {
  for (const point of Object.keys(parts.handlers ?? {})) {
    if (POINTS.get(point)?.products !== false) continue;
    throw new PluginLoadError(
      place.use,
      "bad_scope",
      `plugin "${place.name}" is limited to products, but has a handler at ${point}, where no product is known`,
    );
  }
}

function guardHandlers(value: unknown, place: PluginPlace): object {
  if (!isRecord(value)) {
    refuseParts(
      place,
      `handlers must be an object of functions by callback point: it is ${
        kindOf(value)
      }`,
    );
  }
  for (const [point, handler] of Object.entries(value)) {
    const row = POINTS.get(point);
    if (row === undefined) {
      refuseParts(
        place,
        `there is no callback point "${point}"${
          didYouMean(point, POINTS.keys())
        }`,
      );
    }
    if (typeof handler !== "function") {
      refuseParts(
        place,
        `the handler at ${point} must be a function: it is ${kindOf(handler)}`,
      );
    }
    if (row.mode === "sync" && isAsync(handler)) {
      refuseParts(
        place,
        `the handler at ${point} must not be async: nothing waits for it there`,
      );
    }
  }
  return Object.freeze({ ...value });
}

function guardConditions(value: unknown, place: PluginPlace): object {
  if (!isRecord(value)) {
    refuseParts(
      place,
      `conditions must be an object of functions by name: it is ${
        kindOf(value)
      }`,
    );
  }
  for (const [name, factory] of Object.entries(value)) {
    if (!CONDITION_NAME.test(name)) {
      refuseParts(
        place,
        `the condition "${name}" can't be called in a rule: its name must be letters, digits and "_"`,
      );
    }
    if (typeof factory !== "function") {
      refuseParts(
        place,
        `the condition ${name} must be a function: it is ${kindOf(factory)}`,
      );
    }
    if (isAsync(factory)) {
      refuseParts(place, `the condition ${name} must not be async`);
    }
  }
  return Object.freeze({ ...value });
}

function guardBalancers(value: unknown, place: PluginPlace): object {
  if (!isRecord(value)) {
    refuseParts(
      place,
      `balancers must be an object of functions by name: it is ${
        kindOf(value)
      }`,
    );
  }
  for (const [name, make] of Object.entries(value)) {
    if (typeof make !== "function" || isAsync(make)) {
      refuseParts(
        place,
        `the policy ${name} must be a function that returns one: it is ${
          kindOf(make)
        }`,
      );
    }
  }
  return Object.freeze({ ...value });
}

function refuseParts(place: PluginPlace, detail: string): never {
  throw new PluginLoadError(
    place.use,
    "bad_parts",
    `plugin "${place.name}": ${detail}`,
  );
}

/** Schemas may be functions: arktype's are. */
function isStandardSchema(value: unknown): boolean {
  if (typeof value !== "function" && !isObject(value)) return false;
  const props = (value as Record<string, unknown>)["~standard"];
  return isObject(props) && props.version === 1 &&
    typeof props.validate === "function";
}
