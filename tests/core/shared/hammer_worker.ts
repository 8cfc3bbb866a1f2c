/**
 * A worker that changes shared memory as fast as it can.
 *
 * @module
 */
import { MemoryCounter } from "../../../core/shared/shared_counter.ts";
import { MemoryMap } from "../../../core/shared/shared_map.ts";

/** What it gets. */
export interface Hammer {
  readonly counter: SharedArrayBuffer;
  readonly map: SharedArrayBuffer;
  /** Times that it adds one to each key. */
  readonly rounds: number;
  readonly keys: readonly string[];
}

const port = self as unknown as Worker;
port.onmessage = ({ data }: MessageEvent<Hammer>) => {
  const counter = new MemoryCounter(data.counter);
  const map = new MemoryMap(data.map, Date.now);
  for (let round = 0; round < data.rounds; round++) {
    counter.add();
    for (const key of data.keys) {
      if ((round & 1) === 0) map.add(key, 1, 1e9);
      else {
        for (let found = map.get(key);;) {
          const was = map.compareExchange(key, found, (found ?? 0) + 1, 1e9);
          if (was === found) break;
          found = was;
        }
      }
    }
  }
  port.postMessage("done");
};
