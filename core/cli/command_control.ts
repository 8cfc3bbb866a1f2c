/**
 * `headrace status`, `reload`, `drain` and `plugins --admin URL`: calls to a
 * running proxy's admin address.
 *
 * @module
 */
import { type CommandOptions, EXIT } from "./command.ts";

const DEFAULT_ADMIN = "http://127.0.0.1:9090";

/** Tells what a running proxy does. */
export function status(options: CommandOptions): Promise<number> {
  return call("GET", "/api/status", options);
}

/** Has it load its config anew. */
export function reload(options: CommandOptions): Promise<number> {
  return call("POST", "/api/reload", options);
}

/** Has it finish and end. */
export function drain(options: CommandOptions): Promise<number> {
  return call("POST", "/api/drain", options);
}

/** Tells which plugins it loaded. */
export function plugins(options: CommandOptions): Promise<number> {
  return call("GET", "/api/plugins", options);
}

/** Asks a running proxy and prints what it answers; the exit code. */
export async function call(
  method: string,
  path: string,
  options: CommandOptions,
): Promise<number> {
  const base = options.admin ?? DEFAULT_ADMIN;
  const token = options.token ?? Deno.env.get("HEADRACE_ADMIN_TOKEN");
  if (!URL.canParse(path, base)) {
    return misused(
      `--admin must be a URL such as ${DEFAULT_ADMIN}: current value is ${
        JSON.stringify(base)
      }`,
    );
  }
  // It stays untold: who reads the terminal is not who may know it.
  if (token && /\p{Cc}|^ | $/u.test(token)) {
    return misused("The admin token must be one line, without spaces around");
  }
  const headers = new Headers();
  if (token) headers.set("authorization", `Bearer ${bytesOf(token)}`);
  let response: Response;
  try {
    response = await fetch(new URL(path, base), { method, headers });
  } catch (thrown) {
    console.error(
      `Cannot reach the admin address ${base}: ${
        thrown instanceof Error ? thrown.message : thrown
      }`,
    );
    return EXIT.refused;
  }
  const text = await response.text();
  if (response.ok) {
    console.log(text.trimEnd());
    return EXIT.ok;
  }
  console.error(`${response.status} ${response.statusText}\n${text}`);
  return EXIT.refused;
}

/** A text whose characters are the bytes of another one, in UTF-8: fields have no others. */
function bytesOf(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function misused(message: string): number {
  console.error(`${message}\nTry headrace --help`);
  return EXIT.usage;
}
