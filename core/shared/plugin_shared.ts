/**
 * What plugins see of the memory that workers share.
 *
 * @module
 */
import type { Shared } from "../plugin.ts";
import { MemoryCounter } from "./shared_counter.ts";
import { MemoryMap } from "./shared_map.ts";
import type { SharedRequest, SharedSource } from "./shared_memory.ts";

/** The most entries of a map: 25 MiB. */
const MAX_ENTRIES = 1_048_576;

/** What {@linkcode pluginShared} needs. */
export interface PluginSharedOptions {
  /** The instance's name. */
  readonly plugin: string;
  /** Gives the memory. */
  readonly source: SharedSource;
  /** Milliseconds since the epoch: the same in all workers, unlike monotonic time. */
  readonly wall: () => number;
  /** Is told of each memory that the plugin got. */
  readonly onUse: (request: SharedRequest) => void;
}

/** The shared counters and maps of one plugin instance. */
export function pluginShared(options: PluginSharedOptions): Shared {
  const { plugin, source, wall, onUse } = options;

  async function ask(
    request: Omit<SharedRequest, "plugin">,
  ): Promise<SharedArrayBuffer> {
    const whole = { plugin, ...request };
    const memory = await source(whole);
    onUse(whole);
    return memory;
  }

  return Object.freeze({
    async counter(name: string) {
      return new MemoryCounter(
        await ask({ name, kind: "counter", entries: 0 }),
      );
    },
    async map(name: string, { entries }: { readonly entries: number }) {
      if (!Number.isInteger(entries) || entries < 1 || entries > MAX_ENTRIES) {
        throw new RangeError(
          `Cannot share a map "${name}" as entries must be a whole number from 1 to ${MAX_ENTRIES}: current value is ${entries}`,
        );
      }
      return new MemoryMap(await ask({ name, kind: "map", entries }), wall);
    },
  });
}
