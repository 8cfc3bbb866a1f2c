/**
 * Connects to one of a backend's addresses: connect, preface, TLS.
 *
 * @module
 */
import { type FailureCode, ProxyError } from "../errors.ts";
import { formatHost } from "../net/address.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import { NOWHERE } from "../net/roster.ts";
import type { SocketAddress } from "../plugin.ts";
import type {
  BackendTls,
  ConnectionGuard,
  Secured,
} from "../tls/backend_tls.ts";
import { handshakeFailureCode } from "../tls/tls_failure.ts";
import { race, type Won } from "./race.ts";
import { type PrefaceBytes, writePreface } from "./preface.ts";

/** Options of a dial. */
export interface DialOptions {
  /** Milliseconds for each address, and for each of the steps to it. */
  readonly timeout: number;
  readonly deadlines: Deadlines;
  /** Gives it up when it fires. */
  readonly signal?: AbortSignal;
  /** Written first. */
  readonly preface?: PrefaceBytes | undefined;
  /** Left out for plain bytes. */
  readonly tls?: BackendTls | undefined;
  /** Told of addresses that failed or were overtaken by others. */
  readonly slow?: ((address: SocketAddress) => void) | undefined;
}

/** A connection and the address that it leads to. */
export interface Dialled {
  readonly conn: ByteConn;
  readonly remote: SocketAddress;
  /** Whether it is worth keeping: the next one is not going to be cheaper. */
  readonly lasting: boolean;
}

/** The first address that takes the connection. Rejects with the last address's ProxyError. */
export async function dial(
  addresses: readonly SocketAddress[],
  options: DialOptions,
): Promise<Dialled> {
  let failure = new ProxyError("connect_failed", "There is no address to try");
  let left = addresses;
  while (left.length > 0) {
    const { connection: conn, remote } = await first(left, options);
    try {
      return { ...await begin(conn, remote, options), remote };
    } catch (thrown) {
      failure = connectError(remote, thrown);
      // One that is connected to and then hangs costs no less.
      options.slow?.(remote);
      left = left.filter((address) => address !== remote);
    }
  }
  throw failure;
}

/** A connection to the first address that takes one. */
async function first(
  addresses: readonly SocketAddress[],
  options: DialOptions,
): Promise<Won<Deno.Conn>> {
  const [remote, ...others] = addresses;
  if (others.length === 0) {
    try {
      const connection = await connect(remote!, [], options);
      return { connection, remote: remote! };
    } catch (thrown) {
      options.slow?.(remote!);
      throw thrown;
    }
  }
  return await race(addresses, {
    deadlines: options.deadlines,
    slow: options.slow,
    connect: (remote, overtaken) => connect(remote, [overtaken], options),
    discard: (conn) => conn.close(),
  });
}

/** Opens a connection within the time limit. Rejects with a ProxyError. */
async function connect(
  remote: SocketAddress,
  ends: readonly AbortSignal[],
  { signal, ...options }: DialOptions,
): Promise<Deno.Conn> {
  const given = signal === undefined ? ends : [signal, ...ends];
  try {
    return await limited(
      options,
      (late) =>
        open(
          remote,
          given.length === 0 ? late : AbortSignal.any([late, ...given]),
        ),
    );
  } catch (thrown) {
    throw connectError(remote, thrown);
  }
}

/** Begins to use a connection: what comes before the protocol's first byte. */
async function begin(
  conn: Deno.Conn,
  remote: SocketAddress,
  options: DialOptions,
): Promise<Omit<Dialled, "remote">> {
  const { tls } = options;
  const prefaced = await sendPreface(conn, remote, options);
  return tls === undefined
    ? { conn: prefaced, lasting: true }
    : await secure(tls, prefaced, remote, options);
}

async function sendPreface(
  conn: Deno.Conn,
  remote: SocketAddress,
  options: DialOptions,
): Promise<Deno.Conn> {
  const { preface } = options;
  if (preface === undefined) return conn;
  try {
    await limited(options, async (late) => {
      late.addEventListener("abort", () => conn.close());
      await writePreface(conn, remote, preface);
    });
    return conn;
  } catch (thrown) {
    conn.close();
    throw thrown;
  }
}

/** Starts TLS, on another connection to the same address where this one won't do. Rejects with a ProxyError. */
async function secure(
  tls: BackendTls,
  conn: Deno.Conn,
  remote: SocketAddress,
  options: DialOptions,
): Promise<Secured> {
  const guard = new Guard(conn);
  const reopen = async () =>
    await sendPreface(await connect(remote, [], options), remote, options);
  const { signal } = options;
  try {
    return await limited(options, async (late) => {
      const over = signal === undefined
        ? late
        : AbortSignal.any([late, signal]);
      over.addEventListener("abort", () => guard.end());
      return await tls.secure(conn, reopen, guard);
    }, "backend_handshake_timeout");
  } catch (thrown) {
    guard.drop();
    if (thrown instanceof ProxyError) throw thrown;
    throw new ProxyError(
      handshakeFailureCode(thrown),
      `No TLS with ${placeOf(remote)}: ${reasonOf(thrown)}`,
      { cause: thrown },
    );
  } finally {
    // What is in use now is no business of a signal that fires later.
    guard.release();
  }
}

/** Closes what a handshake is done on: the only way to end a read that it waits for. */
class Guard implements ConnectionGuard {
  #conn: ByteConn | undefined;
  #ended = false;

  constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  watch(conn: ByteConn): void {
    this.#conn = conn;
    if (this.#ended) this.drop();
  }

  drop(): void {
    this.#conn?.close();
    this.#conn = undefined;
  }

  /** Time is over: closes what it watches, now and later. */
  end(): void {
    this.#ended = true;
    this.drop();
  }

  /** Watches no longer. */
  release(): void {
    this.#conn = undefined;
  }
}

/** Does one step of a dial within the time limit; a longer one is called `code`. */
async function limited<T>(
  options: Pick<DialOptions, "timeout" | "deadlines">,
  step: (late: AbortSignal) => Promise<T>,
  code: FailureCode = "connect_timeout",
): Promise<T> {
  const limit = new ConnectDeadline(options);
  options.deadlines.add(limit);
  try {
    return await step(limit.signal);
  } catch (thrown) {
    throw limit.passed
      ? new ProxyError(
        code,
        code === "connect_timeout"
          ? `No connection within ${options.timeout} ms`
          : `No TLS handshake within ${options.timeout} ms`,
      )
      : thrown;
  } finally {
    options.deadlines.delete(limit);
  }
}

async function open(
  remote: SocketAddress,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  if (isPath(remote)) {
    // A unix socket answers at once or not at all: no deadline can pass.
    return await Deno.connect({ transport: "unix", path: remote.address });
  }
  const conn = await Deno.connect({
    hostname: remote.address,
    port: remote.port,
    signal,
  });
  conn.setNoDelay(true);
  return conn;
}

/** The time limit of one step. */
class ConnectDeadline implements Expiring {
  place = NOWHERE;
  readonly deadline: number;
  passed = false;
  readonly #controller = new AbortController();

  constructor(options: Pick<DialOptions, "timeout" | "deadlines">) {
    this.deadline = options.deadlines.after(options.timeout);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  expire(): void {
    this.passed = true;
    this.#controller.abort();
  }
}

/** Whether an address is a unix socket's path. */
function isPath(remote: SocketAddress): boolean {
  return remote.port === 0 && remote.address.startsWith("/");
}

function connectError(remote: SocketAddress, thrown: unknown): ProxyError {
  if (thrown instanceof ProxyError) return thrown;
  const refused = thrown instanceof Deno.errors.ConnectionRefused ||
    thrown instanceof Deno.errors.NotFound;
  return new ProxyError(
    refused ? "connect_refused" : "connect_failed",
    `Cannot connect to ${placeOf(remote)}: ${reasonOf(thrown)}`,
    { cause: thrown },
  );
}

function placeOf(remote: SocketAddress): string {
  return isPath(remote)
    ? remote.address
    : `${formatHost(remote.address)}:${remote.port}`;
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
