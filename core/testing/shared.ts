/**
 * Shared memory as plugins see it, without workers.
 *
 * @module
 */
import type { Shared } from "../plugin.ts";
import { pluginShared } from "../shared/plugin_shared.ts";
import { SharedMemory } from "../shared/shared_memory.ts";
import { FakeClock } from "./fake_clock.ts";

/** What an instance gets; those with the same memory share as workers do. */
export function fakeShared(
  plugin = "p",
  clock: Pick<FakeClock, "wall"> = new FakeClock(),
  memory = new SharedMemory(),
  seat = 0,
): Shared {
  return pluginShared({
    plugin,
    seat,
    source: (request) => Promise.resolve(memory.get(request)),
    wall: () => clock.wall(),
    onUse: () => {},
  });
}
