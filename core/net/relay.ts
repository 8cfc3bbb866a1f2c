/**
 * The autonomous mode: both directions of two connections forwarded as they
 * come. Nobody is woken but for an end, an error or a timeout.
 *
 * Two plain loops of read and write; never `conn.readable`, whose end closes
 * the whole connection, so that half-close is lost (measured).
 *
 * @module
 */
import type { FailureCode, ProxyError } from "../errors.ts";
import { asProxyError } from "../errors.ts";
import type { Socket } from "./socket.ts";

/** Options of a relay. */
export interface RelayOptions {
  /** Both directions silent for so many milliseconds end it. */
  readonly idle: number;
  /** What that end is called. */
  readonly idleCode: FailureCode;
}

/**
 * Relays until both directions have ended; a FIN is passed on per direction.
 * Closes both sockets. Resolves to why it ended, undefined for well.
 */
export async function relay(
  client: Socket,
  backend: Socket,
  options: RelayOptions,
): Promise<ProxyError | undefined> {
  const touch = () => {
    client.armRead(options.idle, options.idleCode);
    backend.armRead(options.idle, options.idleCode);
  };
  client.limitWrites(Infinity, options.idleCode);
  backend.limitWrites(Infinity, options.idleCode);
  touch();
  let failure: ProxyError | undefined;
  const pump = async (from: Socket, to: Socket) => {
    try {
      await forward(from, to, touch);
    } catch (thrown) {
      failure ??= asProxyError(thrown);
      // One broken direction ends the other: nobody would read its bytes.
      from.abort(failure);
      to.abort(failure);
    }
  };
  await Promise.all([pump(client, backend), pump(backend, client)]);
  client.close();
  backend.close();
  return failure;
}

async function forward(
  from: Socket,
  to: Socket,
  touch: () => void,
): Promise<void> {
  do {
    if (from.held > 0) {
      await from.passTo(to);
      touch();
    }
  } while (await from.fill());
  await to.closeWrite();
}
