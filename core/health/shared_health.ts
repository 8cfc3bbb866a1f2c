/**
 * The shared memory of all backends: a row for each, and an epoch that grows
 * with every change of a state.
 *
 * @module
 */

/** Rows that all workers share, by {@linkcode backendKey}. */
export type SharedRows = ReadonlyMap<string, SharedArrayBuffer>;

/** Counts changes of all backends' states, so that one comparison tells whether anything that was derived from them is stale. */
export class Epoch {
  readonly #cell: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#cell = new Int32Array(buffer);
  }

  /** Another number after each change; as it wraps, only equality tells something. */
  get value(): number {
    return this.#cell[0]!;
  }

  /** Something changed: call it after the change. */
  advance(): void {
    Atomics.add(this.#cell, 0, 1);
  }
}

/** What tells one backend from another over reloads. */
export interface BackendKeyParts {
  readonly cluster: string;
  readonly subcluster: string;
  readonly id: string;
  readonly url: { readonly href: string };
}

/** The key of a backend: the same one after a reload where all of this is the same. */
export function backendKey(backend: BackendKeyParts): string {
  const { cluster, subcluster, id, url } = backend;
  return JSON.stringify([cluster, subcluster, id, url.href]);
}
