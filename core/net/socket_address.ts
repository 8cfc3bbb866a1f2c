/**
 * Addresses of sockets as the core knows them.
 *
 * @module
 */
import type { SocketAddress } from "../plugin.ts";
import { formatHost } from "./address.ts";

/** Both ends of a connection: who opened it, and where to. */
export interface SocketEnds {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** The address of an end of a connection. */
export function socketAddress(address: Deno.Addr): SocketAddress {
  // Deno 2.4 tells no transport of a TLS listener's.
  if ("hostname" in address) {
    return { address: address.hostname, port: address.port };
  }
  const path = "path" in address ? address.path : "";
  return { address: path ?? "", port: 0 };
}

/** Its text: `127.0.0.1:80`, `[::1]:80`, the path of a unix socket. */
export function formatSocket({ address, port }: SocketAddress): string {
  return port === 0 ? address : `${formatHost(address)}:${port}`;
}
