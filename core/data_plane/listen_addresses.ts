/**
 * Where listeners listen, for explanations.
 *
 * @module
 */
import type { ListenerConfig } from "../config/config.ts";
import type { Listener } from "../listener/listener.ts";
import type { ListenAddress } from "../net/address.ts";

/** As the config says: of one that nobody bound. */
export function configuredAddresses(
  { address }: ListenerConfig,
): readonly ListenAddress[] {
  return [address];
}

/** With the ports that the system chose for 0. Another worker may have a unix socket: it counts as bound. */
export function boundAddresses(
  config: ListenerConfig,
  bound: readonly Listener[],
): readonly ListenAddress[] {
  const { address } = config;
  if (address.kind === "unix" || address.port !== 0) return [address];
  return bound.map(({ address: { port } }) => ({
    ...address,
    port,
    lastPort: port,
  }));
}
