/**
 * The permissions that an executable is made with: what Headrace itself needs,
 * and what else the operator asks for. Plugins have the same.
 *
 * @module
 */

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

/**
 * Which backends, files and plugins there are may change with every reload. It
 * writes locks of addresses, plugins that are fetched and bodies that are
 * buffered; `uid` tells whose locks there are.
 */
const NEEDED = ["env", "net", "read", "write", "sys=uid"] as const;

/** An `--allow` that is none. */
export class PermissionError extends Error {
  override readonly name = "PermissionError";
}

/**
 * The flags for `deno compile`, in the order of their names. Starting programs,
 * loading native code and telling about the system are not among them unless
 * asked for.
 *
 * `asked` are names, also with a list of what they are limited to
 * (`run=git,ssh`). Throws a {@linkcode PermissionError} for others.
 */
export function permissionFlags(asked: readonly string[]): string[] {
  // By name what they are limited to; "" for nothing.
  const granted = new Map<string, string>();
  for (const wanted of [...NEEDED, ...asked]) {
    const [name, list] = split(wanted);
    const before = granted.get(name);
    granted.set(
      name,
      before === undefined
        ? list
        : before === "" || list === ""
        ? ""
        : `${before},${list}`,
    );
  }
  if (granted.has("all")) return ["--allow-all"];
  return [...granted].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, list]) => `--allow-${name}${list && `=${list}`}`);
}

/** The name and what it is limited to. */
function split(wanted: string): readonly [name: string, list: string] {
  const equals = wanted.indexOf("=");
  const name = equals < 0 ? wanted : wanted.slice(0, equals);
  const list = equals < 0 ? "" : wanted.slice(equals + 1);
  const emptyList = equals >= 0 && list === "";
  if (!NAMES.has(name) || emptyList || (name === "all" && list !== "")) {
    throw new PermissionError(
      `--allow must be one of ${
        [...NAMES].join(", ")
      }, or one with what it is limited to, as in run=git: current value is ${
        JSON.stringify(wanted)
      }`,
    );
  }
  return [name, list];
}
