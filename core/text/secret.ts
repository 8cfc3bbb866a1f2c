/**
 * Compares what somebody gives with a secret, in a time that tells nothing of it.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** A secret that came as text. */
export class Secret {
  readonly #digest: Uint8Array;

  constructor(text: string) {
    this.#digest = digest(text, "utf8");
  }

  /** Whether a header's value is the secret: its characters stand for bytes (the Fetch standard's isomorphic decode). */
  is(given: string): boolean {
    // Digests are of one length, so the comparison tells nothing of the secret's.
    return timingSafeEqual(digest(given, "latin1"), this.#digest);
  }
}

function digest(text: string, encoding: "utf8" | "latin1"): Uint8Array {
  return createHash("sha256").update(text, encoding).digest();
}
