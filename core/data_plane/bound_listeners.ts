/**
 * The listeners of a data plane over reloads: an address that stays keeps its
 * socket, with the connections that wait there.
 *
 * @module
 */
import type { ListenerConfig, SocketConfig } from "../config/config.ts";
import type { ListenerRuntime } from "../snapshot/snapshot.ts";
import {
  bind,
  type BindAddress,
  bindAddresses,
  BindError,
  bindKey,
  type ListeningSocket,
} from "../listener/bind.ts";
import type { Frontend } from "../listener/frontend.ts";
import { type Acceptor, Listener } from "../listener/listener.ts";
import { TcpListener } from "../listener/tcp_listener.ts";
import type { Clock } from "../net/clock.ts";
import {
  inheritanceProblem,
  type InheritedOptions,
  inheritOptions,
} from "../net/inherited_options.ts";
import type { Log, SharedUses } from "../plugin.ts";
import type { SeatCounts } from "../shared/seat_counts.ts";
import {
  DenoTlsListener,
  MAX_WAITING_HANDSHAKES,
} from "../tls/deno_listener.ts";
import type { Termination } from "../tls/termination.ts";
import { inheritedOf } from "../tls/tls_runtime.ts";
import { RefusedError } from "./control.ts";
import type { SharedCounts } from "./shared_counts.ts";

/** What listeners need of their data plane. */
export interface BoundListenersOptions {
  /** The plane's number among the workers, from 0. */
  readonly worker: number;
  /** Counts connections over all workers. */
  readonly shared: SharedCounts;
  readonly clock: Clock;
  readonly log: Log;
  /** Who takes the connections of an address. */
  readonly acceptor: (key: string) => Acceptor;
  /** What keeps `node:tls` from taking over; undefined for nothing. */
  readonly nodeTlsProblem: (tls: Termination) => Promise<string | undefined>;
}

/** A listener that keeps its address and gets another socket. */
interface HandOver {
  readonly key: string;
  readonly listener: Listener;
  readonly socket: ListeningSocket;
  readonly form: string;
}

/** What counts connections over all workers. */
interface GuestCounts {
  /** Those of addresses that are new, by bind key. */
  readonly fellows: ReadonlyMap<string, SeatCounts | undefined>;
  /** Those of clients; undefined where no listener goes by them. */
  readonly clients: SharedUses | undefined;
  /** The bind keys of listeners that do. */
  readonly limited: ReadonlySet<string>;
  /** The shared memories of all of these, by `sharedKey`. */
  readonly memories: readonly string[];
}

/** Listeners of a candidate: bound, but the new ones accept nothing yet. */
export interface PreparedListeners {
  readonly all: ReadonlyMap<string, Listener>;
  /** Those of them that are new: closed where the candidate is discarded. */
  readonly fresh: readonly Listener[];
  /** Those that the current ones go on with. */
  readonly handOvers: readonly HandOver[];
  /** The form of each one's socket, by bind key. */
  readonly forms: ReadonlyMap<string, string>;
  /** The ports in use by bind key. */
  readonly ports: Readonly<Record<string, number>>;
  readonly counts: GuestCounts;
  /** What connections are to have, by bind key: ports only. */
  readonly options: ReadonlyMap<string, InheritedOptions>;
}

/** Milliseconds after which a listener that went on with a plain socket looks whether it can go back. */
const RETURN_AFTER = 60_000;

/** The listeners of one data plane. */
export class BoundListeners {
  readonly #options: BoundListenersOptions;
  #current: ReadonlyMap<string, Listener> = new Map();
  /** What counts clients' connections over all workers, where a listener goes by that. */
  #clients: SharedUses | undefined;
  /** The form of each one's socket, by bind key. */
  #forms: ReadonlyMap<string, string> = new Map();
  /** What connections are to have, by bind key: ports only. */
  #socketOptions: ReadonlyMap<string, InheritedOptions> = new Map();
  /** Sockets that end TLS themselves, as long as handshakes of theirs wait. */
  readonly #sockets = new Set<DenoTlsListener>();
  readonly #cancels = new Set<() => void>();

  constructor(options: BoundListenersOptions) {
    this.#options = options;
  }

  /** The listeners of an entry of the config, as far as this plane has them. */
  of(config: ListenerConfig): Listener[] {
    return bindAddresses(config).flatMap((address) =>
      this.#current.get(bindKey(address)) ?? []
    );
  }

  /** The address of this key, while it is bound. */
  frontend(key: string): Frontend | undefined {
    return this.#current.get(key)?.frontend;
  }

  /** Pauses these addresses, and no others, of those that are bound or will be by `prepared`. */
  pause(addresses: ReadonlySet<string>, prepared?: PreparedListeners): void {
    const all = (prepared?.all ?? this.#current).values();
    for (const { frontend } of all) {
      frontend.paused = addresses.has(frontend.address);
    }
  }

  /**
   * Binds what is new; `ports` are those that another worker has. Rejects with
   * a {@linkcode RefusedError} that names every address that can't be had.
   */
  async prepare(
    runtimes: Iterable<ListenerRuntime>,
    ports: Readonly<Record<string, number>>,
  ): Promise<PreparedListeners> {
    const all = new Map<string, Listener>();
    const forms = new Map<string, string>();
    const options = new Map<string, InheritedOptions>();
    const fresh: Listener[] = [];
    const handOvers: HandOver[] = [];
    const sockets = [...wantedSockets(runtimes)];
    const counts = await this.#counts(sockets);
    const problems: string[] = [];
    const plain: [TcpListener, SocketConfig][] = [];
    const bind = async (wanted: WantedSocket, key: string, port?: number) => {
      const socket = await this.#bind(wanted, key, port);
      if (socket instanceof TcpListener) plain.push([socket, wanted.socket]);
      return socket;
    };
    for (const wanted of sockets) {
      const { address } = wanted;
      // A unix socket has one owner: the kernel spreads only ports.
      if (address.address.kind === "unix" && this.#options.worker > 0) continue;
      const key = bindKey(address);
      const form = formOf(wanted);
      const { acceptor, clock, log } = this.#options;
      let listener = this.#current.get(key);
      try {
        if (listener === undefined) {
          const socket = await bind(wanted, key, ports[key]);
          const tools = { clock, log, key, fellows: counts.fellows.get(key) };
          listener = new Listener(socket, acceptor(key), tools);
          fresh.push(listener);
        } else if (this.#forms.get(key) !== form) {
          const { port } = listener.address;
          const socket = await bind(wanted, key, port);
          handOvers.push({ key, listener, socket, form });
        }
      } catch (thrown) {
        if (!(thrown instanceof BindError)) throw thrown;
        problems.push(`listeners "${address.listener}": ${thrown.message}`);
        continue;
      }
      all.set(key, listener);
      forms.set(key, form);
      if (address.address.kind !== "unix") options.set(key, wanted.socket);
    }
    const used = portsOf(all);
    const prepared = {
      all,
      fresh,
      handOvers,
      forms,
      ports: used,
      counts,
      options,
    };
    if (problems.length > 0) {
      await this.discard(prepared);
      throw new RefusedError(problems);
    }
    this.#passOn(plain);
    return prepared;
  }

  /** Makes them the ones that accept; resolves when those that are left out have let go of their addresses. */
  async commit(prepared: PreparedListeners): Promise<void> {
    const { all, fresh, handOvers, forms, counts, options } = prepared;
    const kept = new Set(all.values());
    const dropped = [...this.#current.values()].filter((listener) =>
      !kept.has(listener)
    );
    this.#current = all;
    this.#forms = forms;
    this.#socketOptions = options;
    const { clients, limited } = counts;
    this.#clients = clients;
    for (const [key, listener] of all) {
      listener.countClientsIn(limited.has(key) ? clients : undefined);
    }
    for (const listener of fresh) listener.activate();
    const ends = [
      ...handOvers.map(({ listener, socket }) => listener.handOver(socket)),
      ...dropped.map((listener) => listener.close()),
    ];
    for (const listener of kept) listener.rulesChanged();
    await Promise.all(ends);
  }

  /** Gives back what was bound for nothing. */
  async discard({ fresh, handOvers }: PreparedListeners): Promise<void> {
    for (const { socket } of handOvers) socket.close();
    await Promise.all(fresh.map((listener) => listener.close()));
    if (fresh.length + handOvers.length > 0) this.restoreOptions();
  }

  /** What was bound for nothing, here or in a worker that is lost since, has had those that stay at its address pass on what it was to. */
  restoreOptions(): void {
    if (inheritanceProblem() !== undefined) return;
    try {
      inheritOptions(
        [...this.#socketOptions].flatMap(([key, options]) => {
          const { state, address: { address, port } } = this.#current.get(key)!;
          return state === "active"
            ? [[{ transport: "tcp", hostname: address, port }, options]]
            : [];
        }),
      );
    } catch (thrown) {
      this.#options.log.warn("Socket options could not be restored", {
        error: thrown,
      });
    }
  }

  /** Listens anew where another process had the address of one of these listeners and is gone. */
  async regain(runtimes: Iterable<ListenerRuntime>): Promise<void> {
    for (const wanted of wantedSockets(runtimes)) {
      const key = bindKey(wanted.address);
      if (this.#current.get(key)?.isLost) await this.#replace(key, wanted);
    }
  }

  /** Accepts no more; `handedOver` says that another process has the addresses too. */
  async close({ handedOver = false } = {}): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    for (const socket of this.#sockets) socket.forget();
    await Promise.all(
      [...this.#current.values()].map((listener) =>
        handedOver ? listener.leave() : listener.close()
      ),
    );
  }

  /** Before anything is bound: memory may be refused. */
  async #counts(sockets: readonly WantedSocket[]): Promise<GuestCounts> {
    const { shared } = this.#options;
    const fellows = new Map<string, SeatCounts | undefined>();
    const keys: string[] = [];
    const limited = new Set<string>();
    for (const { address, limitsClients } of sockets) {
      const key = bindKey(address);
      keys.push(key);
      if (limitsClients) limited.add(key);
      if (this.#current.has(key)) continue;
      fellows.set(key, await shared.connections(key));
    }
    const counted = limited.size > 0;
    const clients = counted
      ? this.#clients ?? await shared.clients()
      : undefined;
    const memories = shared.memories(keys, counted);
    return { fellows, clients, limited, memories };
  }

  async #bind(
    wanted: WantedSocket,
    key: string,
    port: number | undefined,
  ): Promise<ListeningSocket> {
    const { address, tls, socket: config } = wanted;
    const ours = port !== undefined || this.#hasPortOf(address);
    const socketTls = tls?.runtime === "listenTls"
      ? {
        pair: tls.certificates.default,
        alpn: tls.alpn,
        inherited: inheritedOf(config),
        onCrowded: (socket: DenoTlsListener) => {
          this.#relieve(wanted, key, socket);
        },
      }
      : undefined;
    const socket = await bind(address, { port, ours, tls: socketTls });
    if (socketTls !== undefined) this.#tellOfOptions(wanted);
    for (const other of this.#sockets) {
      if (other.over) this.#sockets.delete(other);
    }
    if (socket instanceof DenoTlsListener) this.#sockets.add(socket);
    return socket;
  }

  #passOn(plain: readonly [TcpListener, SocketConfig][]): void {
    try {
      TcpListener.passOn(plain);
    } catch (thrown) {
      this.#options.log.debug("Connections get their options one by one", {
        error: thrown,
      });
    }
  }

  /** Says where options of sockets are wanted that can't be had. */
  #tellOfOptions(
    { address, socket: { noDelay, keepAlive } }: WantedSocket,
  ): void {
    const { log, worker } = this.#options;
    const problem = inheritanceProblem();
    if (problem === undefined || worker > 0 || !noDelay && !keepAlive) return;
    log.warn(
      "A TLS listener does without its socket options: responses may wait some 40 ms for acknowledgements",
      { listener: address.listener, problem },
    );
  }

  /**
   * Goes on with a plain socket, on which handshakes that wait can be closed,
   * until most of those that can't be are gone.
   */
  async #relieve(
    wanted: WantedSocket,
    key: string,
    socket: DenoTlsListener,
  ): Promise<void> {
    const { log, clock, nodeTlsProblem } = this.#options;
    const plain = { ...wanted, tls: undefined };
    const fields = { listener: wanted.address.listener };
    const problem = await nodeTlsProblem(wanted.tls!);
    if (problem !== undefined) {
      log.warn("Too many TLS handshakes wait, and nothing can close them", {
        ...fields,
        problem,
      });
      return;
    }
    if (!await this.#replace(key, wanted, plain)) return;
    log.warn("Too many TLS handshakes wait: node:tls takes over for a while", {
      ...fields,
      waiting: socket.waiting,
    });
    const later = () => {
      const cancel = clock.after(RETURN_AFTER, () => {
        this.#cancels.delete(cancel);
        if (socket.waiting > MAX_WAITING_HANDSHAKES / 2) later();
        else this.#replace(key, plain, wanted);
      });
      this.#cancels.add(cancel);
    };
    later();
  }

  /** Hands a listener over from a socket of one kind to one of another; false where it has not got the first any more. */
  async #replace(
    key: string,
    from: WantedSocket,
    to: WantedSocket = from,
  ): Promise<boolean> {
    const { log } = this.#options;
    const listener = this.#current.get(key);
    const holds = () =>
      listener !== undefined && this.#current.get(key) === listener &&
      this.#forms.get(key) === formOf(from);
    if (listener === undefined || !holds()) return false;
    try {
      const socket = await this.#bind(to, key, listener.address.port);
      if (!holds()) {
        socket.close();
        return false;
      }
      this.#forms = new Map(this.#forms).set(key, formOf(to));
      await listener.handOver(socket);
      return true;
    } catch (thrown) {
      // It goes on with what it has.
      log.error("Cannot replace a listener's socket", {
        listener: from.address.listener,
        error: thrown,
      });
      return false;
    }
  }

  /** Whether a listener of ours has the port, on this or another host. */
  #hasPortOf({ address }: BindAddress): boolean {
    if (address.kind === "unix" || address.port === 0) return false;
    return [...this.#current.values()].some((listener) =>
      listener.address.port === address.port
    );
  }
}

/** An address and what is wanted there. */
interface WantedSocket {
  readonly address: BindAddress;
  readonly socket: SocketConfig;
  readonly tls: Termination | undefined;
  /** Whether a client may have so many connections only. */
  readonly limitsClients: boolean;
}

function* wantedSockets(
  runtimes: Iterable<ListenerRuntime>,
): Iterable<WantedSocket> {
  for (const { config, tls } of runtimes) {
    const { socket, limits } = config;
    const limitsClients = limits.connectionsPerAddress !== undefined;
    for (const address of bindAddresses(config)) {
      yield { address, socket, tls, limitsClients };
    }
  }
}

/** What a socket can't change: one that ends TLS keeps its certificates and its options for good. */
function formOf({ tls, socket }: WantedSocket): string {
  if (tls?.runtime !== "listenTls") return "plain";
  const { noDelay, keepAlive } = inheritedOf(socket);
  return `tls ${
    tls.alpn.join(",")
  } ${tls.certificates.fingerprint} ${noDelay} ${keepAlive}`;
}

function portsOf(
  listeners: ReadonlyMap<string, Listener>,
): Record<string, number> {
  return Object.fromEntries(
    [...listeners].map(([key, listener]) => [key, listener.address.port]),
  );
}
