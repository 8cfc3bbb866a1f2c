/**
 * How workers come by channels to each other, over which they share one cache:
 * the supervisor makes one for each two of them, and again where one is replaced.
 *
 * @module
 */
import type { CachePeers } from "../data_plane/plane_cache.ts";
import type { Port } from "./rpc.ts";

/** What a worker is told: another one is there, or is gone. */
export interface CachePeerNotice {
  readonly cachePeer: {
    readonly worker: number;
    /** Left out where it is gone. */
    readonly port?: MessagePort;
  };
}

/** Sends one worker a notice, with its port. */
type Send = (notice: CachePeerNotice, ports: MessagePort[]) => void;

/** The supervisor's side. */
export class CacheChannels {
  readonly #there = new Map<number, Send>();

  /** A worker is there: it and each of the others get the ends of a channel. */
  join(worker: number, send: Send): void {
    for (const [other, sendOther] of this.#there) {
      const { port1, port2 } = new MessageChannel();
      send({ cachePeer: { worker: other, port: port1 } }, [port1]);
      sendOther({ cachePeer: { worker, port: port2 } }, [port2]);
    }
    this.#there.set(worker, send);
  }

  /** A worker is gone: the others hear of it. */
  leave(worker: number): void {
    if (!this.#there.delete(worker)) return;
    for (const send of this.#there.values()) {
      send({ cachePeer: { worker } }, []);
    }
  }
}

/** The workers' side: what {@linkcode CacheChannels} tells over `port`. */
export function askCachePeers(port: Port): CachePeers {
  return (heard) => {
    port.addEventListener(
      "message",
      ({ data }: MessageEvent<Partial<CachePeerNotice>>) => {
        if (data.cachePeer === undefined) return;
        heard(data.cachePeer.worker, data.cachePeer.port);
      },
    );
  };
}
