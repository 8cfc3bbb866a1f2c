/**
 * Sockets that listen at a port and give bytes as they come.
 *
 * @module
 */
import {
  inheritanceProblem,
  type InheritedOptions,
  inheritOptions,
} from "../net/inherited_options.ts";

/** Where to listen. */
export type TcpAddress = Pick<
  Deno.TcpListenOptions,
  "hostname" | "port" | "tcpBacklog"
>;

/** What connections have from a new socket. */
const NOTHING: InheritedOptions = { noDelay: false, keepAlive: false };

/** A socket whose connections have their options from it, as far as that can be had. */
export class TcpListener implements Disposable {
  readonly #listener: Deno.TcpListener;
  /** What connections have from it; undefined where nobody knows. */
  #passesOn: InheritedOptions | undefined = NOTHING;

  /** Listens; the port is shared with other listeners of this process. Throws as `Deno.listen` does. */
  constructor(address: TcpAddress) {
    this.#listener = Deno.listen({ ...address, reusePort: true });
  }

  get addr(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  accept(): Promise<Deno.TcpConn> {
    return this.#listener.accept();
  }

  /** Gives a connection that came from here the options that it has not got. */
  setOptions(conn: Deno.TcpConn, wanted: InheritedOptions): void {
    if (this.#givesAll(wanted)) return;
    try {
      conn.setNoDelay(wanted.noDelay);
      conn.setKeepAlive(wanted.keepAlive);
    } catch {
      // The client is gone already: the session's first read says so.
    }
  }

  /** Connections are to have these from now on. */
  optionsChanged(wanted: InheritedOptions): void {
    this.#givesAll(wanted);
  }

  /** Whether connections have just these from it. */
  #givesAll(wanted: InheritedOptions): boolean {
    const had = this.#passesOn;
    if (
      had?.noDelay === wanted.noDelay && had.keepAlive === wanted.keepAlive
    ) return true;
    // The config has changed. A worker's socket that comes to this address later
    // has this one pass on what is wanted then: from here on it is not known.
    this.#passesOn = undefined;
    return false;
  }

  /**
   * Has connections of new listeners inherit their options, where the system
   * lets them: two calls less for each (measured: 4 % of what a small proxy
   * spends on a connection with one request).
   */
  static passOn(
    listeners: readonly (readonly [TcpListener, InheritedOptions])[],
  ): void {
    if (listeners.length === 0 || inheritanceProblem() !== undefined) return;
    inheritOptions(
      listeners.map(([{ addr }, options]) => [addr, options]),
    );
    for (const [listener, options] of listeners) listener.#passesOn = options;
  }

  close(): void {
    this.#listener.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
