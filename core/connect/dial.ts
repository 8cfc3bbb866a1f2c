/**
 * Connects to one of a backend's addresses.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { formatHost } from "../net/address.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import type { SocketAddress } from "../plugin.ts";
import { race, type Won } from "./race.ts";
import { type PrefaceBytes, writePreface } from "./preface.ts";

/** Options of a dial. */
export interface DialOptions {
  /** Milliseconds for each address. */
  readonly timeout: number;
  readonly deadlines: Deadlines;
  /** Gives it up when it fires. */
  readonly signal?: AbortSignal;
  /** Written first. */
  readonly preface?: PrefaceBytes | undefined;
  /** Told of addresses that failed or were overtaken by others. */
  readonly slow?: ((address: SocketAddress) => void) | undefined;
}

/** A connection and the address that it leads to. */
export interface Dialled {
  readonly conn: ByteConn;
  readonly remote: SocketAddress;
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
      return { conn: await begin(conn, remote, options), remote };
    } catch (thrown) {
      failure = connectError(remote, thrown);
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
    return { connection: await connect(remote!, [], options), remote: remote! };
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
): Promise<ByteConn> {
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

/** Does one step of a dial within the time limit. */
async function limited<T>(
  options: Pick<DialOptions, "timeout" | "deadlines">,
  step: (late: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new ConnectDeadline(options);
  options.deadlines.add(limit);
  try {
    return await step(limit.signal);
  } catch (thrown) {
    throw limit.passed
      ? new ProxyError(
        "connect_timeout",
        `No connection within ${options.timeout} ms`,
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
  const where = isPath(remote)
    ? remote.address
    : `${formatHost(remote.address)}:${remote.port}`;
  const refused = thrown instanceof Deno.errors.ConnectionRefused ||
    thrown instanceof Deno.errors.NotFound;
  return new ProxyError(
    refused ? "connect_refused" : "connect_failed",
    `Cannot connect to ${where}: ${
      thrown instanceof Error ? thrown.message : thrown
    }`,
    { cause: thrown },
  );
}
