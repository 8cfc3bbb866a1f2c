/**
 * Checks the directions of imports between the folders of `core/`:
 * `deno task check` runs it.
 *
 * @module
 */
import { relative } from "node:path";

/** What each folder may import from besides itself, `core/*.ts` and packages. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  text: [],
  cache: ["message", "net"],
  "cache_disk": ["cache", "message", "net"],
  "shared_cache": ["cache", "message", "net"],
  net: ["message", "text"],
  message: ["net"],
  conditions: ["net", "text"],
  config: ["net", "text", "tls"],
  observe: ["net"],
  "proxy_protocol": ["net"],
  plugins: ["net", "text"],
  http1: ["connect", "message", "net", "session"],
  connect: [
    "config",
    "health",
    "http1",
    "message",
    "net",
    "observe",
    "session",
    "tls",
  ],
  websocket: ["message", "net"],
  health: [
    "config",
    "connect",
    "http1",
    "message",
    "net",
    "proxy_protocol",
    "tls",
  ],
  balance: ["config", "connect", "health", "net", "shared"],
  route: ["conditions", "config", "net"],
  listener: ["config", "net", "proxy_protocol", "shared", "tls"],
  tls: ["config", "net"],
  snapshot: [
    "balance",
    "cache",
    "conditions",
    "config",
    "connect",
    "health",
    "http1",
    "net",
    "observe",
    "plugins",
    "route",
    "session",
    "shared",
    "text",
    "tls",
  ],
  session: [
    "balance",
    "cache",
    "config",
    "connect",
    "health",
    "http1",
    "listener",
    "message",
    "net",
    "observe",
    "plugins",
    "proxy_protocol",
    "route",
    "snapshot",
    "tls",
    "websocket",
  ],
  explain: [
    "balance",
    "conditions",
    "config",
    "connect",
    "health",
    "http1",
    "message",
    "net",
    "route",
    "session",
    "snapshot",
    "tls",
  ],
  shared: [],
  "data_plane": [
    "balance",
    "cache",
    "cache_disk",
    "conditions",
    "config",
    "connect",
    "explain",
    "health",
    "http1",
    "listener",
    "message",
    "net",
    "observe",
    "plugins",
    "session",
    "shared",
    "shared_cache",
    "snapshot",
    "tls",
    "text",
    "websocket",
  ],
  takeover: ["config", "data_plane", "listener", "net"],
  supervisor: [
    "cache",
    "conditions",
    "config",
    "data_plane",
    "explain",
    "health",
    "message",
    "net",
    "observe",
    "plugins",
    "session",
    "shared",
    "takeover",
    "tls",
  ],
  admin: [
    "cache",
    "config",
    "data_plane",
    "explain",
    "health",
    "listener",
    "message",
    "net",
    "observe",
    "session",
    "supervisor",
    "text",
  ],
  testing: [
    "conditions",
    "data_plane",
    "http1",
    "listener",
    "message",
    "net",
    "observe",
    "plugins",
    "session",
    "shared",
    "supervisor",
  ],
  compile: ["plugins", "supervisor"],
  cli: [
    "admin",
    "compile",
    "config",
    "data_plane",
    "explain",
    "net",
    "observe",
    "plugins",
    "session",
    "supervisor",
    "takeover",
  ],
};

/** A codec knows these of a session: the shape of an exchange, not what runs it. */
const SEAMS: Readonly<Record<string, readonly string[]>> = {
  "tls config": ["config/config.ts"],
  "http1 session": ["session/exchange.ts"],
  "http1 connect": ["connect/backend_connection.ts", "connect/pool.ts"],
  "connect session": ["session/env.ts"],
  // What a trace tells is plain data.
  "supervisor session": ["session/trace_report.ts"],
  "admin session": ["session/trace_report.ts"],
  // A check dials as traffic does.
  "health connect": ["connect/dial.ts", "connect/tls_to.ts"],
};

const core = new URL("../core/", import.meta.url).pathname;
const problems: string[] = [];

for await (const file of sources(core)) {
  const folder = file.slice(0, Math.max(0, file.indexOf("/")));
  const text = await Deno.readTextFile(core + file);
  for (const [, specifier] of text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)) {
    const target = relative(
      core,
      new URL(specifier!, `file://${core}${file}`).pathname,
    );
    check(file, folder, target);
  }
}

for (const problem of problems) console.error(problem);
Deno.exit(problems.length === 0 ? 0 : 1);

function check(file: string, folder: string, target: string): void {
  if (target.startsWith("../plugins/")) {
    if (file !== "supervisor/worker.ts") {
      problems.push(`core/${file} must not import ${target.slice(3)}`);
    }
    return;
  }
  const to = target.slice(0, Math.max(0, target.indexOf("/")));
  if (folder === "" || to === "" || to === folder) return;
  const seam = SEAMS[`${folder} ${to}`];
  const allowed = MAY[folder]?.includes(to) === true &&
    (seam === undefined || seam.includes(target));
  if (!allowed) problems.push(`core/${file} must not import core/${target}`);
}

async function* sources(folder: string, below = ""): AsyncIterable<string> {
  for await (const entry of Deno.readDir(folder + below)) {
    const path = `${below}${entry.name}`;
    if (entry.isDirectory) yield* sources(folder, `${path}/`);
    else if (path.endsWith(".ts")) yield path;
  }
}
