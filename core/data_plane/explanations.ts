/**
 * Which way requests would take through a data plane, by its own config or by
 * one that it only tries.
 *
 * @module
 */
import type { ListenerConfig } from "../config/config.ts";
import {
  type DescribedRequest,
  DescriptionError,
} from "../explain/described_request.ts";
import { explain } from "../explain/explain.ts";
import type { Explanation } from "../explain/explanation.ts";
import type { Listener } from "../listener/listener.ts";
import type { ListenAddress } from "../net/address.ts";
import type { PlaneEnv } from "../session/env.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { BoundListeners } from "./bound_listeners.ts";
import { RefusedError } from "./control.ts";

/** Explains a request by a config that nobody serves. Throws a {@linkcode DescriptionError} where it describes none. */
export function explainTried(
  request: DescribedRequest,
  snapshot: Snapshot,
  { clock, instance }: PlaneEnv,
): Explanation {
  return explain(request, {
    snapshot,
    clock,
    instance,
    addressesOf: ({ address }) => [address],
    isPaused: () => false,
  });
}

/** Explains a request by the config that `listeners` serve. Throws a {@linkcode RefusedError} where it describes none. */
export function explainServed(
  request: DescribedRequest,
  snapshot: Snapshot,
  { clock, instance }: PlaneEnv,
  listeners: BoundListeners,
): Explanation {
  try {
    return explain(request, {
      snapshot,
      clock,
      instance,
      addressesOf: (config) => boundAddresses(config, listeners.of(config)),
      isPaused: (config, port) => isPaused(listeners.of(config), port),
    });
  } catch (thrown) {
    // Other errors' kinds don't come over the control channel.
    throw thrown instanceof DescriptionError
      ? new RefusedError([thrown.message])
      : thrown;
  }
}

/** With the ports that the system chose for 0. Another worker may have a unix socket: it counts as bound. */
function boundAddresses(
  { address }: ListenerConfig,
  bound: readonly Listener[],
): readonly ListenAddress[] {
  if (address.kind === "unix" || address.port !== 0) return [address];
  return bound.map(({ address: { port } }) => ({
    ...address,
    port,
    lastPort: port,
  }));
}

/** Whether an operator has paused the one of this port; any of them where none has it. */
function isPaused(bound: readonly Listener[], port: number): boolean {
  const reached = bound.filter(({ address }) => address.port === port);
  return (reached.length > 0 ? reached : bound).some(({ frontend }) =>
    frontend.paused
  );
}
