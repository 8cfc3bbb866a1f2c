/**
 * A PROXY header as both sides know it
 * (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt).
 *
 * @module
 */
import type { SocketEnds } from "../net/socket_address.ts";
import type { ProxyFacts } from "../plugin.ts";

/** A header that was read. */
export interface ProxyHeader extends Omit<ProxyFacts, "peer"> {
  /**
   * Of the client's connection to the sender; undefined where the header doesn't say or the sender
   * speaks for itself: then the connection's own ends stand.
   */
  readonly ends: SocketEnds | undefined;
}

/** A header and where it ends; undefined while bytes of it are missing. */
export type HeaderRead =
  | { readonly header: ProxyHeader; readonly end: number }
  | undefined;

/** What version 2 begins with (§2.2). */
export const V2_SIGNATURE: readonly number[] = [
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
];

/** Signature, version with command, family with transport, length. */
export const V2_FIXED_BYTES = 16;

/** Source and destination, addresses then ports, of both families. */
export const IPV4_BYTES = 12;
export const IPV6_BYTES = 36;
