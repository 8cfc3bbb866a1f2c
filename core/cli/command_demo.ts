/**
 * `headrace` without arguments: two small backends and a proxy before them, to
 * be tried at once.
 *
 * @module
 */
import type { CommandContext } from "./command.ts";
import { runSource } from "./command_run.ts";

/** The demo's own ports, below the range that systems give out by themselves. */
const PORTS = { http: 8080, tcp: 8081, admin: 9090 } as const;

/** Runs the demo until a signal ends it; the exit code. */
export async function runDemo(context: CommandContext): Promise<number> {
  const backends = ["one", "two"].map(serveBackend);
  const config = demoConfig(backends.map(({ addr }) => addr.port));
  const source = {
    path: "demo",
    baseDir: Deno.cwd(),
    read: () => Promise.resolve(config),
  };
  try {
    return await runSource(source, context, {
      takeover: false,
      watch: false,
      started: () => console.log(whatToTry()),
    });
  } finally {
    await Promise.all(backends.map((backend) => backend.shutdown()));
  }
}

/** A backend that tells who it is, and what it was asked. */
function serveBackend(name: string): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (
    request,
  ) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/headers") {
      return Response.json(Object.fromEntries(request.headers));
    }
    if (pathname === "/echo") return new Response(request.body);
    return new Response(`Hello from backend ${name}\n`);
  });
}

/** A config that shows a product, rules, a plugin and a TCP listener. */
function demoConfig(ports: readonly number[]): string {
  const backends = ports.map((port, i) =>
    `      - { id: backend-${i + 1}, url: "http://127.0.0.1:${port}" }`
  ).join("\n");
  return `
listeners:
  - { name: web, address: "127.0.0.1:${PORTS.http}" }
  - { name: bytes, address: "127.0.0.1:${PORTS.tcp}", protocol: tcp, cluster: demo }
products:
  - name: demo
    default: true
    rules:
      - when: 'req_path_in("/old", false)'
        redirect: { to: "/", status: 308 }
      - when: 'req_path_prefix_in("/teapot", false)'
        respond: { status: 418, body: "short and stout\\n" }
      - cluster: demo
clusters:
  - name: demo
    backends:
${backends}
plugins:
  - use: "builtin:headers"
    options: { response: { set: { x-served-by: "%{backend}" } } }
admin: { address: "127.0.0.1:${PORTS.admin}" }
workers: 1
log: { format: text, level: warn }
drain: { timeout: 5s }
`;
}

function whatToTry(): string {
  const web = `http://127.0.0.1:${PORTS.http}`;
  const admin = `http://127.0.0.1:${PORTS.admin}`;
  return `Headrace runs its demo: two backends and a proxy on 127.0.0.1. Try:

  curl -i ${web}/             # again and again: backends take turns
  curl -s ${web}/headers      # what a backend sees of you
  curl -i ${web}/old          # a rule that redirects
  curl -i ${web}/teapot       # a rule that answers by itself
  curl -s ${web}/echo -d hi   # a body there and back
  curl -s http://127.0.0.1:${PORTS.tcp}/     # the same backends through a TCP listener
  curl -s ${admin}/metrics    # what Prometheus reads
  curl -s ${admin}/api/backends

Admin: ${admin}/ lists all of its routes. Ctrl-C drains and ends.`;
}
