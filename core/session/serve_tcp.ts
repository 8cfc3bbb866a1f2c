/**
 * TCP on a session: a backend is picked, then both directions are autonomous.
 *
 * @module
 */
import { BLACKHOLE, type Cluster, type Tried } from "../balance/cluster.ts";
import type { Slot } from "../balance/slot_queue.ts";
import type { Backend } from "../connect/backend.ts";
import type { Preface } from "../connect/preface.ts";
import type { Permit } from "../health/backend_gates.ts";
import { asProxyError, ProxyError } from "../errors.ts";
import { Relay } from "../net/relay.ts";
import type { Socket } from "../net/socket.ts";
import type { Lasting } from "./exchange.ts";
import type { Served } from "./serve_http1.ts";
import type { Session } from "./session.ts";
import { clusterOf, factsOf, readClientHello } from "./sni.ts";

/** Relays to a backend of the client's or the listener's cluster until both directions have ended. */
export function serveTcp(session: Session, client: Socket): Served {
  const { sni, cluster, timeouts } = session.listenerRuntime;
  const carriesTls = sni !== undefined;
  let state = carriesTls ? "handshake" : "connect";
  const bySni = async () => {
    const hello = await readClientHello(client, timeouts.handshake);
    session.tls = factsOf(hello);
    state = "connect";
    return await clusterOf(hello, session.listenerRuntime, client);
  };
  const run = async () => {
    const name = carriesTls ? await bySni() : cluster!;
    const target = { cluster: name, carriesTls };
    const backend = await connect(session, client, target);
    state = "tunnel";
    const relay = new Relay(client, backend, {
      idle: timeouts.tunnel,
      idleCode: "client_idle",
    });
    const lasting = new LastingRelay(relay);
    const { specimens } = session.env;
    if (session.isLight && specimens.choose()) {
      specimens.keep(session, lasting);
    }
    return lasting;
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

/** A relay that goes on. */
class LastingRelay implements Lasting {
  readonly #relay: Relay;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  get over(): Promise<unknown> {
    return this.#relay.ended;
  }

  end(): void {
    const { failure } = this.#relay;
    if (failure !== undefined) throw failure;
  }
}

/** Where a session's bytes go. */
interface Target {
  readonly cluster: string;
  /** They are TLS already. */
  readonly carriesTls: boolean;
}

/** A connection to the first backend that takes one. Rejects with a ProxyError. */
async function connect(
  session: Session,
  client: Socket,
  { cluster: name, carriesTls }: Target,
): Promise<Socket> {
  const cluster = session.plane.current.cluster(name) ??
    session.listenerRuntime.snapshot.cluster(name)!;
  const { retries } = cluster;
  const { proxyProtocol } = cluster.config;
  const preface = proxyProtocol === "none"
    ? undefined
    : session.preface(proxyProtocol, session.initiator.remote.address);
  const context = {
    clientAddress: session.initiator.remote.address,
    request: undefined,
  };
  const excluded = new Set<Backend>();
  let home: string | undefined;
  let crossed = 0;
  let failure: ProxyError | undefined;
  for (let attempt = 0; attempt <= retries.max;) {
    const mayCross = crossed < retries.crossSubcluster;
    const tried = home === undefined
      ? undefined
      : { excluded, subcluster: home, mayCross };
    const picked = cluster.pick(context, tried);
    if (picked === BLACKHOLE) {
      throw new ProxyError(
        "blackholed",
        `"${name}" refuses a share on purpose`,
      );
    }
    if (picked === undefined) break;
    const permit = picked.takeSlot();
    if (permit === undefined && picked.hasSlot) {
      // Another session tries whether it is well again.
      excluded.add(picked);
      home ??= picked.subcluster;
      continue;
    }
    const slot = permit === undefined
      ? await waitForSlot(client, cluster, tried)
      : { backend: picked, permit };
    const { backend } = slot;
    if (home !== undefined && backend.subcluster !== home) crossed++;
    home ??= backend.subcluster;
    excluded.add(backend);
    attempt++;
    try {
      return await connectTo(session, slot, { preface, carriesTls });
    } catch (thrown) {
      failure = asProxyError(thrown);
      if (!retries.followsFailure(failure)) break;
    }
  }
  throw failure ?? new ProxyError(
    "no_backend",
    `The cluster "${name}" has no backend to try`,
  );
}

type TcpSlot = Slot<Backend, Permit>;

/** Waits in the cluster's queue; a client that resets leaves it. Rejects with a ProxyError. */
async function waitForSlot(
  client: Socket,
  cluster: Cluster,
  tried: Tried | undefined,
): Promise<TcpSlot> {
  const { life, queue } = cluster;
  const waiting = life.queue.wait(
    (free) => cluster.mayServe(free, tried),
    queue,
  );
  const leave = () =>
    waiting.leave(new ProxyError("client_closed", "The client has left"));
  client.onLost = leave;
  client.post();
  try {
    return await waiting.granted;
  } finally {
    client.onLost = undefined;
  }
}

async function connectTo(
  session: Session,
  { backend, permit }: TcpSlot,
  { preface, carriesTls }: {
    readonly preface: Preface | undefined;
    readonly carriesTls: boolean;
  },
): Promise<Socket> {
  const { health } = backend;
  try {
    const addresses = await backend.resolve();
    const { socket } = await backend.connectSocket(addresses, preface, {
      carriesTls,
    });
    health.succeeded(permit);
    backend.attempts.ok.add(1);
    session.backend = backend.id;
    backend.pool.active++;
    const closed = () => {
      backend.pool.active--;
      backend.leave(permit);
    };
    socket.onClosed = closed;
    return socket;
  } catch (thrown) {
    const error = asProxyError(thrown);
    health.failed(error, permit);
    backend.leave(permit);
    backend.attempts.failed.add(1);
    throw error;
  }
}
