/**
 * A bound address as operators know it: where clients come in.
 *
 * @module
 */

/** One bound address while it is bound. */
export interface Frontend {
  /** Its name in `/frontend/…` and in wsbalancer's metrics. */
  readonly id: string;
  /** `127.0.0.1:8080`, `[::1]:8080` or a socket's path. */
  readonly address: string;
  /** An operator wants no new requests; what is under way goes on. */
  paused: boolean;
}

/** A bound address that takes requests. */
export function makeFrontend(address: string): Frontend {
  return { id: frontendId(address), address, paused: false };
}

/** The address as wsbalancer names it: `127-0-0-1-8080`, and `-8080` for `[::]:8080`. */
export function frontendId(address: string): string {
  return dashed(address);
}

/** What is neither a letter nor a digit becomes a dash. */
export function dashed(text: string): string {
  return text.replace(/[^a-zA-Z0-9]+/g, "-");
}
