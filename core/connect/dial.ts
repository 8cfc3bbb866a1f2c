/**
 * Connects to a backend's addresses, one after another.
 *
 * @module
 */
import { ProxyError } from "../errors.ts";
import { formatHost } from "../net/address.ts";
import type { ByteConn } from "../net/byte_conn.ts";
import type { Deadlines, Expiring } from "../net/deadlines.ts";
import type { SocketAddress } from "../plugin.ts";
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
  for (const remote of addresses) {
    try {
      return { conn: await connect(remote, options), remote };
    } catch (thrown) {
      failure = connectError(remote, thrown);
    }
  }
  throw failure;
}

async function connect(
  remote: SocketAddress,
  options: DialOptions,
): Promise<ByteConn> {
  const limit = new ConnectDeadline(options);
  options.deadlines.add(limit);
  try {
    const conn = await open(remote, options.signal, limit.signal);
    const { preface } = options;
    if (preface !== undefined) await begin(conn, remote, preface);
    return conn;
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
  given: AbortSignal | undefined,
  late: AbortSignal,
): Promise<Deno.Conn> {
  if (isPath(remote)) {
    // A unix socket answers at once or not at all: no deadline can pass.
    return await Deno.connect({ transport: "unix", path: remote.address });
  }
  const conn = await Deno.connect({
    hostname: remote.address,
    port: remote.port,
    signal: given === undefined ? late : AbortSignal.any([late, given]),
  });
  conn.setNoDelay(true);
  return conn;
}

async function begin(
  conn: Deno.Conn,
  remote: SocketAddress,
  preface: PrefaceBytes,
): Promise<void> {
  try {
    await writePreface(conn, remote, preface);
  } catch (thrown) {
    conn.close();
    throw thrown;
  }
}

/** The time limit of one address. */
class ConnectDeadline implements Expiring {
  readonly deadline: number;
  passed = false;
  readonly #controller = new AbortController();

  constructor(options: DialOptions) {
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
