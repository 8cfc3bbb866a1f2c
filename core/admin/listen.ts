/**
 * The admin address: binds it, serves the app on it, ends it in time.
 *
 * @module
 */
import type { AdminConfig } from "../config/config.ts";
import { RefusedError } from "../data_plane/control.ts";
import { removeStale } from "../listener/bind.ts";
import {
  formatAddress,
  isLoopback,
  type ListenAddress,
} from "../net/address.ts";
import { type Clock, systemClock } from "../net/clock.ts";
import { within } from "../net/within.ts";
import type { Log } from "../plugin.ts";
import { answerError } from "./answer.ts";
import { createAdminApp } from "./app.ts";
import { seal } from "./seal.ts";
import type { AdminSource } from "./source.ts";

/** The admin interface while it is served. */
export interface AdminServer {
  /** Where: `127.0.0.1:9090`, `[::1]:9090` or `unix:/path`, with the port that the system chose for 0. */
  readonly address: string;
  /**
   * Stops listening and ends: at once where nothing is under way, else soon
   * after the last answer, at the latest after about a second; then what is
   * left is cut.
   */
  shutdown(): Promise<void>;
}

/** How long answers under way may delay the end of the process, in milliseconds. */
const SHUTDOWN_TIMEOUT = 1_000;

/**
 * How long a connection stays after its last answer, in milliseconds: Deno calls
 * an answer completed before its bytes are written (at once cut, none of 100
 * arrived on 2.4.2; cut after 0 ms, all did).
 */
const LINGER = 50;

/**
 * Serves the admin interface. Rejects with a {@linkcode RefusedError} where the
 * address can't be had, or would be open to others without a token.
 */
export async function serveAdmin(
  source: AdminSource,
  config: AdminConfig,
  log: Log,
  clock: Clock = systemClock,
): Promise<AdminServer> {
  const { address, token } = config;
  if (token === undefined && !isLoopback(address)) {
    refuse(
      address,
      "admin.token must be set where other machines can reach the address",
    );
  }
  // Deno moves the first Deno.serve of a process to where this says, from
  // loopback and unix sockets too (tried on 2.9.6).
  if (Deno.env.get("DENO_SERVE_ADDRESS")) {
    refuse(address, "DENO_SERVE_ADDRESS must be unset as it moves the address");
  }
  const app = createAdminApp(source, {
    token,
    // Browsers can't open unix sockets, and clients put any name in Host there.
    hosts: address.kind === "unix" ? "any" : [address.hostname],
    log,
  });
  try {
    if (address.kind === "unix") await removeStale(address.path);
    return new AdminListener({ address, fetch: app.fetch, log, clock });
  } catch (thrown) {
    return refuse(
      address,
      thrown instanceof Error ? thrown.message : String(thrown),
    );
  }
}

function refuse(address: ListenAddress, reason: string): never {
  throw new RefusedError([
    `Cannot serve the admin interface on ${formatAddress(address)}: ${reason}`,
  ]);
}

/** What an {@linkcode AdminListener} is made of. */
interface AdminListenerOptions {
  readonly address: ListenAddress;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly log: Log;
  readonly clock: Clock;
}

class AdminListener implements AdminServer {
  readonly address: string;
  readonly #server: Deno.HttpServer;
  readonly #clock: Clock;
  readonly #cut = new AbortController();
  /** One for each request whose answer is not out yet. */
  readonly #underWay = new Set<Promise<void>>();
  /** When an answer was last done, by the clock; -Infinity before the first. */
  #lastAnswer = -Infinity;
  /** Undefined for TCP. */
  readonly #socketPath: string | undefined;
  #end: Promise<void> | undefined;

  constructor({ address, fetch, log, clock }: AdminListenerOptions) {
    this.#clock = clock;
    const options = {
      signal: this.#cut.signal,
      // Its own line on standard error would stand between those of the log.
      onListen() {},
      onError(error: unknown) {
        log.error("An admin request failed", { error });
        return seal(answerError(500, String(error)));
      },
    };
    const handle = (request: Request, info: Deno.ServeHandlerInfo) => {
      // Nobody waits for it any more.
      if (this.#end !== undefined) {
        return seal(answerError(503, "Headrace ends"));
      }
      this.#follow(info.completed);
      return fetch(request);
    };
    if (address.kind === "unix") {
      const { path } = address;
      this.#socketPath = path;
      this.#server = Deno.serve({ ...options, path }, handle);
      this.address = formatAddress(address);
    } else {
      const { hostname, port } = address;
      const server = Deno.serve({ ...options, hostname, port }, handle);
      this.#server = server;
      this.address = formatAddress({
        kind: "tcp",
        hostname: server.addr.hostname,
        port: server.addr.port,
        lastPort: server.addr.port,
      });
    }
  }

  shutdown(): Promise<void> {
    this.#end ??= this.#shutDown();
    return this.#end;
  }

  /**
   * Deno's own shutdown can't be told to cut what it waits for (an abort then
   * throws BadResource), and on 2.4.2 it waits for idle connections too; so the
   * wait is ours and the end a cut (all tried on 2.4.2 and 2.9.6).
   */
  async #shutDown(): Promise<void> {
    const idle = Promise.all(this.#underWay).then(() => {});
    await within(this.#clock, SHUTDOWN_TIMEOUT, idle, () => {});
    const linger = this.#lastAnswer + LINGER - this.#clock.now();
    if (linger > 0) {
      await new Promise<void>((resolve) => this.#clock.after(linger, resolve));
    }
    this.#cut.abort();
    await this.#server.finished;
    if (this.#socketPath !== undefined) await removeFile(this.#socketPath);
  }

  #follow(completed: Promise<void>): void {
    // A client that left before its answer was out is no failure of ours.
    const over = completed.catch(() => {}).then(() => {
      this.#underWay.delete(over);
      this.#lastAnswer = this.#clock.now();
    });
    this.#underWay.add(over);
  }
}

/** Deno removes the socket's file itself on 2.9.6, not on 2.4.2. */
async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}
