/**
 * The permissions that an executable is made with: what Headrace itself needs
 * for its config, and what else the operator asks for. Plugins have the same.
 *
 * @module
 */
import type { Config } from "../config/config.ts";

/** Permissions as Deno names them. */
const NAMES: ReadonlySet<string> = new Set([
  "all",
  "env",
  "ffi",
  "net",
  "read",
  "run",
  "sys",
  "write",
]);

/** Which backends, plugins and files there are may change with every reload. */
const ALWAYS = ["net", "read", "env"] as const;

/** An `--allow` that is none. */
export class PermissionError extends Error {
  override readonly name = "PermissionError";
}

/**
 * The flags for `deno compile`, in the order of their names. Without a config
 * anything may come that a config can say, so that writing is granted too;
 * starting programs and loading native code never are unless asked for.
 *
 * `asked` are names, also with a list of what they are limited to
 * (`write=/var/log`). Throws a {@linkcode PermissionError} for others.
 */
export function permissionFlags(
  config: Config | undefined,
  asked: readonly string[],
): string[] {
  const granted = new Map<string, string>();
  for (const name of ALWAYS) granted.set(name, `--allow-${name}`);
  if (config === undefined || writes(config)) {
    granted.set("write", "--allow-write");
  }
  for (const wanted of asked) {
    const [name = "", list] = split(wanted);
    if (!NAMES.has(name) || list === "" || (name === "all" && list)) {
      throw new PermissionError(
        `--allow must be one of ${
          [...NAMES].join(", ")
        }, or one with what it is limited to, as in write=/var/log: current value is ${
          JSON.stringify(wanted)
        }`,
      );
    }
    if (name === "all") return ["--allow-all"];
    // A limited one does not narrow what is needed without limits.
    if (granted.get(name) === `--allow-${name}`) continue;
    granted.set(name, `--allow-${wanted}`);
  }
  return [...granted.entries()].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([, flag]) => flag);
}

function split(wanted: string): (string | undefined)[] {
  const equals = wanted.indexOf("=");
  return equals < 0
    ? [wanted]
    : [wanted.slice(0, equals), wanted.slice(equals + 1)];
}

/** Whether the core, or a built-in plugin, writes files or speaks over unix sockets. */
function writes(config: Config): boolean {
  const { listeners, clusters, plugins, admin } = config;
  return admin.address.kind === "unix" ||
    listeners.some(({ address }) => address.kind === "unix") ||
    clusters.some(({ subclusters, requestBuffer }) =>
      requestBuffer?.disk !== undefined ||
      subclusters.some(({ backends }) =>
        backends.some(({ url }) => url.path !== undefined)
      )
    ) ||
    plugins.some(({ use, options }) =>
      use.startsWith("builtin:") && typeof options === "object" &&
      options !== null && "path" in options
    );
}
