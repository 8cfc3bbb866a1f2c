/**
 * Shared memory as plugins see it, without workers.
 *
 * @module
 */
import type { Shared } from "../../core/plugin.ts";
import { pluginShared } from "../../core/shared/plugin_shared.ts";
import { SharedMemory } from "../../core/shared/shared_memory.ts";
import { FakeClock } from "./clock.ts";

/** What an instance gets; those with the same memory share as workers do. */
export function fakeShared(
  plugin = "p",
  clock: Pick<FakeClock, "wall"> = new FakeClock(),
  memory = new SharedMemory(),
): Shared {
  return pluginShared({
    plugin,
    source: (request) => Promise.resolve(memory.get(request)),
    wall: () => clock.wall(),
    onUse: () => {},
  });
}
