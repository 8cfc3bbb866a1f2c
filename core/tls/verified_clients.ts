/**
 * Which client certificates were verified, and by whom.
 *
 * `node:tls` resumes a session without verifying the certificate again that it
 * began with. Its tickets are good at every listener of the worker, whomever
 * that one trusts, and clients get them also where their certificate was found
 * wanting (tried on 2.9.6). So a resumed session is believed only where a whole
 * handshake has verified its certificate by authorities that still are all
 * trusted. Tickets end with their worker, and so does what is known here.
 *
 * @module
 */

/** Certificates that are remembered: about 200 bytes each. */
const LIMIT = 100_000;

/** Sets of authorities that are remembered of one certificate. */
const SETS = 4;

/** Authorities, by the fingerprints of their certificates. */
export type Authorities = ReadonlySet<string>;

/** The memory of one worker. */
export class VerifiedClients {
  readonly #limit: number;
  /** By the certificate's fingerprint, the longest unseen first. */
  readonly #known = new Map<string, readonly Authorities[]>();

  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  /** A whole handshake has verified the certificate by these authorities. */
  note(fingerprint: string, authorities: Authorities): void {
    const before = this.#known.get(fingerprint) ?? [];
    const implied = before.some((set) => set.isSubsetOf(authorities));
    this.#known.delete(fingerprint);
    if (this.#known.size === this.#limit) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest!);
    }
    this.#known.set(
      fingerprint,
      implied ? before : [authorities, ...before].slice(0, SETS),
    );
  }

  /** Whether it was verified by some of these authorities, and by no others. */
  has(fingerprint: string, authorities: Authorities): boolean {
    const sets = this.#known.get(fingerprint);
    return sets !== undefined &&
      sets.some((set) => set.isSubsetOf(authorities));
  }
}
