/**
 * How workers come by channels to each other, over which they share one cache:
 * the supervisor makes one for each two of them, and again where one is replaced.
 * What they can't tell each other of purges, it passes on.
 *
 * @module
 */
import type { Purge } from "../cache/store.ts";
import type { CachePeers } from "../data_plane/plane_cache.ts";
import { OwedPurges } from "./owed_purges.ts";
import type { Port } from "./rpc.ts";

/** What a worker is told. */
export type CacheNotice =
  /** Another one is there, or is gone. */
  | {
    readonly cachePeer: {
      readonly worker: number;
      /** Left out where it is gone. */
      readonly port?: MessagePort;
    };
  }
  /** It is to forget this, and to say when it has. */
  | { readonly latePurge: { readonly id: number; readonly purge: Purge } };

/** What a worker tells. */
export type CacheTold =
  /** Another one is to forget this as soon as it can. */
  | { readonly owedPurge: { readonly worker: number; readonly purge: Purge } }
  /** It has done what it was told. */
  | { readonly paidPurge: number };

/** Sends one worker a notice, with its port. */
type Send = (notice: CacheNotice, ports: MessagePort[]) => void;

/** The supervisor's side. */
export class CacheChannels {
  readonly #there = new Map<number, Send>();
  readonly #owed = new OwedPurges();

  /** A worker is there: it and each of the others get the ends of a channel. */
  join(worker: number, send: Send): void {
    for (const [other, sendOther] of this.#there) {
      const { port1, port2 } = new MessageChannel();
      send({ cachePeer: { worker: other, port: port1 } }, [port1]);
      sendOther({ cachePeer: { worker, port: port2 } }, [port2]);
    }
    this.#there.set(worker, send);
    this.#owed.join(
      worker,
      (id, purge) => send({ latePurge: { id, purge } }, []),
    );
  }

  /** A worker is gone: the others hear of it. */
  leave(worker: number): void {
    if (!this.#there.delete(worker)) return;
    this.#owed.leave(worker);
    for (const send of this.#there.values()) {
      send({ cachePeer: { worker } }, []);
    }
  }

  /** A worker tells something. */
  told(worker: number, told: CacheTold): void {
    if ("paidPurge" in told) this.#owed.paid(worker, told.paidPurge);
    else this.#owed.owe(told.owedPurge.worker, told.owedPurge.purge);
  }
}

/** What a worker tells of its cache, as it comes over a port. */
export function cacheTold(data: object): CacheTold | undefined {
  return "owedPurge" in data || "paidPurge" in data
    ? data as CacheTold
    : undefined;
}

/** The workers' side: what {@linkcode CacheChannels} tells over `port`. */
export function askCachePeers(port: Port): CachePeers {
  const tell = (told: CacheTold) => port.postMessage(told);
  return {
    listen({ heard, purge }) {
      port.addEventListener(
        "message",
        ({ data }: MessageEvent<CacheNotice | object>) => {
          if ("cachePeer" in data) {
            heard(data.cachePeer.worker, data.cachePeer.port);
          } else if ("latePurge" in data) {
            const { id, purge: wanted } = data.latePurge;
            purge(wanted).then((done) => {
              if (done) tell({ paidPurge: id });
            });
          }
        },
      );
    },
    owe: (worker, purge) => tell({ owedPurge: { worker, purge } }),
  };
}
