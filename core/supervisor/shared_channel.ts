/**
 * How plugins in workers come by the memory that all of them share: the one
 * thing that a worker asks of the supervisor.
 *
 * @module
 */
import type { SharedRequest, SharedSource } from "../shared/shared_memory.ts";
import type { Port } from "./rpc.ts";

interface Ask {
  readonly ask: number;
  readonly request: SharedRequest;
}

interface Told {
  readonly told: number;
  readonly memory?: SharedArrayBuffer;
  /** Why there is none. */
  readonly refusal?: string;
}

/** Asks over `port`. What is asked of a supervisor that is gone is never answered, as nobody is there any more. */
export function askShared(port: Port): SharedSource {
  const waiting = new Map<number, PromiseWithResolvers<SharedArrayBuffer>>();
  let asks = 0;
  port.addEventListener("message", ({ data }: MessageEvent<Partial<Told>>) => {
    if (data.told === undefined) return;
    const { memory, refusal } = data;
    const asked = waiting.get(data.told);
    waiting.delete(data.told);
    if (memory !== undefined) asked?.resolve(memory);
    else asked?.reject(new RangeError(refusal));
  });
  return (request) => {
    const asked = Promise.withResolvers<SharedArrayBuffer>();
    waiting.set(++asks, asked);
    port.postMessage({ ask: asks, request } satisfies Ask);
    return asked.promise;
  };
}

/** Answers what {@linkcode askShared} asks at the other end of `port`. */
export function serveShared(
  port: Port,
  give: (request: SharedRequest) => SharedArrayBuffer,
): void {
  port.addEventListener("message", ({ data }: MessageEvent<Partial<Ask>>) => {
    const { ask, request } = data;
    if (ask === undefined || request === undefined) return;
    port.postMessage({ told: ask, ...answer(request) } satisfies Told);
  });

  function answer(request: SharedRequest): Omit<Told, "told"> {
    try {
      return { memory: give(request) };
    } catch (thrown) {
      return { refusal: (thrown as Error).message };
    }
  }
}
