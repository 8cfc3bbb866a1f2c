/**
 * One lock for each address that a process listens on. Sockets share their ports
 * with other workers and with whoever takes over, so the kernel would let a
 * second Headrace share them too, and half of the clients would get the wrong
 * one.
 *
 * @module
 */
import { join } from "node:path";
import type { ListenerConfig } from "../config/config.ts";
import { RefusedError } from "../data_plane/control.ts";
import { type BindAddress, bindAddresses, bindKey } from "../listener/bind.ts";
import { formatAddress, type ListenAddress } from "../net/address.ts";
import type { Log } from "../plugin.ts";
import { LockFile, type LockHolder, lockHolder } from "./lock_file.ts";
import { makeRunDir } from "./run_dir.ts";

/** What locks need. */
export interface ListenerLocksOptions {
  /** The folder of locks; made when it is not there. */
  readonly folder: string;
  /** Who takes them. */
  readonly holder: LockHolder;
  /** The control sockets of those who hand their addresses over. */
  readonly from: ReadonlySet<string>;
  readonly log: Log;
}

/** An address that can't be had. */
interface HeldAddress {
  readonly address: BindAddress;
  /** Undefined where it does not say who it is. */
  readonly holder: LockHolder | undefined;
}

/** Locks for a candidate. */
export interface PreparedLocks {
  /** Paths of the locks that the candidate wants. */
  readonly wanted: ReadonlySet<string>;
  /** Those that are new. */
  readonly fresh: readonly LockFile[];
  /** Those that others hand over, once they are told to. */
  readonly lent: readonly string[];
  /** The ports of these, by bind key: they are shared for a while. */
  readonly ports: Readonly<Record<string, number>>;
}

const NOTHING: PreparedLocks = {
  wanted: new Set(),
  fresh: [],
  lent: [],
  ports: {},
};

/** The locks of one process. */
export class ListenerLocks {
  readonly #options: ListenerLocksOptions;
  #held = new Map<string, LockFile>();
  #lent = new Set<string>();
  /** Undefined until it was tried; false where there is no folder to lock in. */
  #usable: boolean | undefined;

  constructor(options: ListenerLocksOptions) {
    this.#options = options;
  }

  /** Takes what these listeners need besides what is held already. Rejects, with a {@linkcode RefusedError} where others have it, and has nothing more than before. */
  async prepare(listeners: readonly ListenerConfig[]): Promise<PreparedLocks> {
    if (!await this.#makeFolder()) return NOTHING;
    const fresh: LockFile[] = [];
    try {
      return await this.#take(listeners, fresh);
    } catch (thrown) {
      await this.discard({ fresh });
      throw thrown;
    }
  }

  /** `fresh` gets what is new as soon as it is there. */
  async #take(
    listeners: readonly ListenerConfig[],
    fresh: LockFile[],
  ): Promise<PreparedLocks> {
    const { folder, holder: self, from } = this.#options;
    const wanted = new Set<string>();
    const lent: string[] = [];
    const held: HeldAddress[] = [];
    const ports: Record<string, number> = {};
    for (const address of listeners.flatMap(bindAddresses)) {
      const name = lockName(address.address);
      if (name === undefined) continue;
      const path = join(folder, name);
      wanted.add(path);
      if (this.#held.has(path) || this.#lent.has(path)) continue;
      // Who tidies up where temporary files go may have removed it since.
      await makeRunDir(folder);
      const rival = await this.#rivalOf(address.address);
      const taken = rival ?? await LockFile.take(path, self);
      if (taken instanceof LockFile) fresh.push(taken);
      else if (taken !== undefined && from.has(taken.control)) {
        lent.push(path);
        ports[bindKey(address)] = portOf(address.address);
      } else held.push({ address, holder: taken });
    }
    if (held.length > 0) throw new RefusedError(held.map(problemOf));
    return { wanted, fresh, lent, ports };
  }

  /** They are in use: those of addresses that are left go. */
  async commit({ wanted, fresh, lent }: PreparedLocks): Promise<void> {
    for (const lock of fresh) this.#held.set(lock.path, lock);
    for (const path of lent) this.#lent.add(path);
    const left = [...this.#held].filter(([path]) => !wanted.has(path));
    for (const [path, lock] of left) {
      this.#held.delete(path);
      await this.#giveBack(lock);
    }
  }

  /** Gives back what was taken for nothing. */
  async discard({ fresh }: Pick<PreparedLocks, "fresh">): Promise<void> {
    await Promise.all(fresh.map((lock) => this.#giveBack(lock)));
  }

  /** Takes those that were lent: from here on they are ours, whatever their holders do. */
  async takeOver(): Promise<void> {
    for (const path of this.#lent) {
      const lock = await LockFile.replace(path, this.#options.holder);
      this.#held.set(path, lock);
    }
    this.#lent.clear();
  }

  /** Takes those again that a process took over which is gone by now; false where another one has some of them. */
  async takeBack(): Promise<boolean> {
    const { log } = this.#options;
    let ours = true;
    for (const [path, lost] of this.#held) {
      try {
        const rival = await this.#retake(path, lost);
        if (rival === undefined) continue;
        ours = false;
        const { pid } = rival;
        log.warn("Another process has an address's lock", { path, pid });
      } catch (error) {
        log.warn("An address's lock can't be taken back", { path, error });
      }
    }
    return ours;
  }

  /** Who has it; undefined where it is ours. Rejects where there can be no such file. */
  async #retake(
    path: string,
    lost: LockFile,
  ): Promise<Partial<LockHolder> | undefined> {
    if (await lost.isThere()) return undefined;
    const taken = await LockFile.takeFromEnding(path, this.#options.holder);
    if (!(taken instanceof LockFile)) return taken ?? {};
    this.#held.set(path, taken);
    await this.#giveBack(lost);
    return undefined;
  }

  /** Gives all of them back. */
  async release(): Promise<void> {
    const locks = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(locks.map((lock) => this.#giveBack(lock)));
  }

  /** A file that stays stands in nobody's way: it must not stop a reload or a drain. */
  async #giveBack(lock: LockFile): Promise<void> {
    try {
      await lock.release();
    } catch (error) {
      const { path } = lock;
      this.#options.log.warn("The file of a lock can't be removed", {
        path,
        error,
      });
    }
  }

  /** Another process with this port on another address that covers this one, or is covered by it. */
  async #rivalOf(address: ListenAddress): Promise<LockHolder | undefined> {
    if (address.kind === "unix") return undefined;
    const { folder } = this.#options;
    for await (const { name } of Deno.readDir(folder)) {
      const path = join(folder, name);
      const host = hostOf(name, address.port);
      if (host === undefined || this.#held.has(path)) continue;
      if (host === address.hostname) continue;
      if (!isWildcard(host) && !isWildcard(address.hostname)) continue;
      const holder = await lockHolder(path);
      if (holder !== undefined && holder.control !== this.#control) {
        return holder;
      }
    }
    return undefined;
  }

  get #control(): string {
    return this.#options.holder.control;
  }

  async #makeFolder(): Promise<boolean> {
    if (this.#usable !== undefined) return this.#usable;
    const { folder, log } = this.#options;
    try {
      await makeRunDir(folder);
      this.#usable = true;
    } catch (error) {
      this.#usable = false;
      log.warn("Addresses are not locked: set HEADRACE_RUN_DIR to a folder", {
        folder,
        error,
      });
    }
    return this.#usable;
  }
}

/** The holders of these listeners' addresses, and of others with their ports, each once. */
export async function holdersOf(
  folder: string,
  listeners: readonly ListenerConfig[],
): Promise<LockHolder[]> {
  const names = new Set<string>();
  const wanted = listeners.flatMap(bindAddresses).map(({ address }) => address);
  for await (const { name } of Deno.readDir(folder)) {
    const isMeant = wanted.some((address) =>
      lockName(address) === name ||
      (address.kind === "tcp" && hostOf(name, address.port) !== undefined)
    );
    if (isMeant) names.add(name);
  }
  const holders = new Map<string, LockHolder>();
  for (const name of names) {
    const holder = await lockHolder(join(folder, name));
    if (holder !== undefined) holders.set(holder.control, holder);
  }
  return [...holders.values()];
}

/** The file of an address's lock; undefined where the system chooses a free port. */
function lockName(address: ListenAddress): string | undefined {
  if (address.kind === "tcp") {
    const { hostname, port } = address;
    return port === 0 ? undefined : `${port}@${hostname}.lock`;
  }
  const path = address.path.replaceAll("~", "~0").replaceAll("/", "~1");
  return `unix@${path}.lock`;
}

/** The host of a lock for this port; undefined for another file. */
function hostOf(name: string, port: number): string | undefined {
  const prefix = `${port}@`;
  return name.startsWith(prefix) && name.endsWith(".lock")
    ? name.slice(prefix.length, -".lock".length)
    : undefined;
}

function isWildcard(hostname: string): boolean {
  return hostname === "0.0.0.0" || hostname === "::";
}

function portOf(address: ListenAddress): number {
  return address.kind === "tcp" ? address.port : 0;
}

function problemOf({ address, holder }: HeldAddress): string {
  const who = holder === undefined
    ? "another process has its lock"
    : `the Headrace with process id ${holder.pid} serves it (--takeover replaces that)`;
  return `listeners "${address.listener}": Cannot listen on ${
    formatAddress(address.address)
  }: ${who}`;
}
