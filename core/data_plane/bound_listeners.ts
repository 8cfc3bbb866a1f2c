/**
 * The listeners of a data plane over reloads: an address that stays keeps its
 * socket, with the connections that wait there.
 *
 * @module
 */
import type { ListenerConfig } from "../config/config.ts";
import {
  bind,
  type BindAddress,
  bindAddresses,
  BindError,
  bindKey,
} from "../listener/bind.ts";
import { type Acceptor, Listener } from "../listener/listener.ts";
import type { Clock } from "../net/clock.ts";
import type { Log } from "../plugin.ts";
import { RefusedError } from "./control.ts";

/** What listeners need of their data plane. */
export interface BoundListenersOptions {
  /** The plane's number among the workers, from 0. */
  readonly worker: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Who takes the connections of an address. */
  readonly acceptor: (key: string) => Acceptor;
}

/** Listeners of a candidate: bound, but the new ones accept nothing yet. */
export interface PreparedListeners {
  readonly all: ReadonlyMap<string, Listener>;
  /** Those of them that are new: closed where the candidate is discarded. */
  readonly fresh: readonly Listener[];
  /** The ports in use by bind key. */
  readonly ports: Readonly<Record<string, number>>;
}

/** The listeners of one data plane. */
export class BoundListeners {
  readonly #options: BoundListenersOptions;
  #current: ReadonlyMap<string, Listener> = new Map();

  constructor(options: BoundListenersOptions) {
    this.#options = options;
  }

  /** The listeners of an entry of the config, as far as this plane has them. */
  of(config: ListenerConfig): Listener[] {
    return bindAddresses(config).flatMap((address) =>
      this.#current.get(bindKey(address)) ?? []
    );
  }

  /**
   * Binds what is new; `ports` are those that another worker has. Rejects with
   * a {@linkcode RefusedError} that names every address that can't be had.
   */
  async prepare(
    configs: readonly ListenerConfig[],
    ports: Readonly<Record<string, number>>,
  ): Promise<PreparedListeners> {
    const all = new Map<string, Listener>();
    const fresh: Listener[] = [];
    const problems: string[] = [];
    for (const address of configs.flatMap(bindAddresses)) {
      // A unix socket has one owner: the kernel spreads only ports.
      if (address.address.kind === "unix" && this.#options.worker > 0) continue;
      const key = bindKey(address);
      let listener = this.#current.get(key);
      if (listener === undefined) {
        try {
          listener = await this.#bind(address, key, ports[key]);
        } catch (thrown) {
          if (!(thrown instanceof BindError)) throw thrown;
          problems.push(`listeners "${address.listener}": ${thrown.message}`);
          continue;
        }
        fresh.push(listener);
      }
      all.set(key, listener);
    }
    const prepared = { all, fresh, ports: portsOf(all) };
    if (problems.length > 0) {
      await this.discard(prepared);
      throw new RefusedError(problems);
    }
    return prepared;
  }

  /** Makes them the ones that accept; resolves when those that are left out have let go of their addresses. */
  async commit({ all, fresh }: PreparedListeners): Promise<void> {
    const kept = new Set(all.values());
    const dropped = [...this.#current.values()].filter((listener) =>
      !kept.has(listener)
    );
    this.#current = all;
    for (const listener of fresh) listener.activate();
    for (const listener of kept) listener.rulesChanged();
    await Promise.all(dropped.map((listener) => listener.close()));
  }

  /** Gives back what was bound for nothing. */
  async discard({ fresh }: PreparedListeners): Promise<void> {
    await Promise.all(fresh.map((listener) => listener.close()));
  }

  /** Accepts no more. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#current.values()].map((listener) => listener.close()),
    );
  }

  async #bind(
    address: BindAddress,
    key: string,
    port: number | undefined,
  ): Promise<Listener> {
    const ours = port !== undefined || this.#hasPortOf(address);
    const { acceptor, clock, log } = this.#options;
    const bound = await bind(address, { port, ours });
    return new Listener(bound, acceptor(key), { clock, log });
  }

  /** Whether a listener of ours has the port, on this or another host. */
  #hasPortOf({ address }: BindAddress): boolean {
    if (address.kind === "unix" || address.port === 0) return false;
    return [...this.#current.values()].some((listener) =>
      listener.address.port === address.port
    );
  }
}

function portsOf(
  listeners: ReadonlyMap<string, Listener>,
): Record<string, number> {
  return Object.fromEntries(
    [...listeners].map(([key, listener]) => [key, listener.address.port]),
  );
}
