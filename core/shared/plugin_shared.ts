/**
 * What plugins see of the memory that workers share.
 *
 * @module
 */
import type { Shared } from "../plugin.ts";
import { MemoryCounter } from "./shared_counter.ts";
import { MemoryMap } from "./shared_map.ts";
import { MemoryUses } from "./shared_uses.ts";
import type { SharedRequest, SharedSource } from "./shared_memory.ts";

/** The most entries: 25 MiB for a map. */
const MAX_ENTRIES = 1_048_576;

/** What {@linkcode pluginShared} needs. */
export interface PluginSharedOptions {
  /** The instance's name. */
  readonly plugin: string;
  /** The seat of this worker. */
  readonly seat: number;
  /** Gives the memory. */
  readonly source: SharedSource;
  /** Milliseconds since the epoch: the same in all workers, unlike monotonic time. */
  readonly wall: () => number;
  /** Is told of each memory that the plugin got. */
  readonly onUse: (request: SharedRequest) => void;
}

/** What one plugin instance shares with those of other workers. */
export function pluginShared(options: PluginSharedOptions): Shared {
  const { plugin, seat, source, wall, onUse } = options;

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
      checkEntries("map", name, entries);
      return new MemoryMap(await ask({ name, kind: "map", entries }), wall);
    },
    async uses(name: string, { entries }: { readonly entries: number }) {
      checkEntries("uses", name, entries);
      return new MemoryUses(await ask({ name, kind: "uses", entries }), seat);
    },
  });
}

function checkEntries(what: string, name: string, entries: number): void {
  if (Number.isInteger(entries) && entries >= 1 && entries <= MAX_ENTRIES) {
    return;
  }
  throw new RangeError(
    `Cannot share ${what} "${name}" as entries must be a whole number from 1 to ${MAX_ENTRIES}: current value is ${entries}`,
  );
}
