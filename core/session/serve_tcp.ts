/**
 * TCP on a session: a backend is picked, then both directions are autonomous.
 *
 * @module
 */
import type { Backend } from "../connect/backend.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import { relay } from "../net/relay.ts";
import type { Socket } from "../net/socket.ts";
import type { Served } from "./serve_http1.ts";
import type { Session } from "./session.ts";

/** Backends that are tried at most. */
const MAX_ATTEMPTS = 2;

/** Relays to a backend of the listener's cluster until both directions have ended. */
export function serveTcp(session: Session, client: Socket): Served {
  let state = "connect";
  const run = async () => {
    const backend = await connect(session);
    state = "tunnel";
    const failure = await relay(client, backend, {
      idle: session.listenerRuntime.timeouts.tunnel,
      idleCode: "client_idle",
    });
    if (failure !== undefined) throw failure;
  };
  return {
    done: run(),
    get state() {
      return state;
    },
    // Only its ends know where a stream of bytes may be cut: the drain's timeout does.
    drain: () => {},
    abort: () => {},
  };
}

/** A connection to the first backend that takes one. Rejects with a ProxyError. */
async function connect(session: Session): Promise<Socket> {
  const name = session.listenerRuntime.cluster!;
  const cluster = session.plane.current.cluster(name) ??
    session.listenerRuntime.snapshot.cluster(name);
  let failure = new ProxyError(
    "no_backend",
    `The cluster "${name}" has no backend to try`,
  );
  const excluded = new Set<Backend>();
  const proxyProtocol = cluster?.config.proxyProtocol ?? "none";
  const preface = proxyProtocol === "none"
    ? undefined
    : session.preface(proxyProtocol, session.initiator.remote.address);
  for (let attempt = 0; attempt < MAX_ATTEMPTS;) {
    const backend = cluster?.pick(excluded.size === 0 ? undefined : excluded);
    if (backend === undefined) break;
    excluded.add(backend);
    const { health } = backend;
    const permit = health.begin();
    // Another worker's session tries whether it is well again.
    if (permit === undefined) continue;
    attempt++;
    try {
      const addresses = await backend.resolve();
      const { socket } = await backend.connectSocket(addresses, preface);
      health.succeeded(permit);
      backend.attempts.ok.add(1);
      session.backend = backend.id;
      backend.pool.active++;
      socket.onClosed = () => {
        backend.pool.active--;
        health.end(permit);
      };
      return socket;
    } catch (thrown) {
      failure = asProxyError(thrown);
      health.failed(failure, permit);
      health.end(permit);
      backend.attempts.failed.add(1);
    }
  }
  throw failure;
}
