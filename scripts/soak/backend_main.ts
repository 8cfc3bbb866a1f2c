/**
 * Backends of all protocols as a process of its own, until it is killed.
 *
 * @module
 */
import { serveEcho } from "../websocket_load/echo.ts";
import { listenLow } from "../websocket_load/listen_low.ts";
import { serveSoakBackend, serveTcpEcho } from "./backend.ts";

/** Where it listens: given to have the same again. */
export interface BackendPorts {
  readonly http: number;
  /** A second one of the same. */
  readonly spare: number;
  readonly tls: number;
  readonly tcp: number;
  /** WebSocket echo. */
  readonly websocket: number;
}

/** What the process is started with, as JSON. */
export interface BackendArguments {
  readonly ports: BackendPorts;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** Ports that nobody has. */
export function chooseBackendPorts(): BackendPorts {
  const listeners = Array.from({ length: 5 }, () => listenLow());
  const [http, spare, tls, tcp, websocket] = listeners.map(({ addr }) =>
    addr.port
  );
  for (const listener of listeners) listener.close();
  return {
    http: http!,
    spare: spare!,
    tls: tls!,
    tcp: tcp!,
    websocket: websocket!,
  };
}

if (import.meta.main) {
  const { ports, cert, key }: BackendArguments = JSON.parse(Deno.args[0]!);
  const listen = (port: number) =>
    Deno.listen({ hostname: "127.0.0.1", port, tcpBacklog: 4096 });
  serveSoakBackend(listen(ports.http));
  serveSoakBackend(listen(ports.spare));
  serveSoakBackend(
    Deno.listenTls({ hostname: "127.0.0.1", port: ports.tls, cert, key }),
  );
  serveTcpEcho(listen(ports.tcp));
  serveEcho(listen(ports.websocket));
  console.log(JSON.stringify({ listens: true }));
}
