/**
 * Names to addresses, by the system's own resolver (hosts file included), kept
 * for a short while and asked once for many.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { ProxyError } from "../errors.ts";
import type { Clock } from "./clock.ts";

/** Looks up all addresses of a name, in the order to try them. */
export type LookUp = (hostname: string) => Promise<readonly string[]>;

/** The system resolver tells no TTL; nginx's habit of asking never again loses moved backends, so ask often. */
const KEEP = 5_000;

interface Entry {
  readonly addresses: readonly string[];
  readonly until: number;
}

/** Resolves backends' names. */
export class Resolver {
  readonly #clock: Clock;
  readonly #lookUp: LookUp;
  readonly #entries = new Map<string, Entry>();
  readonly #pending = new Map<string, Promise<readonly string[]>>();

  constructor(clock: Clock, lookUp: LookUp = systemLookUp) {
    this.#clock = clock;
    this.#lookUp = lookUp;
  }

  /**
   * The addresses of a host name, an IP address as it is. Without a promise
   * where they are known. Rejects with `name_not_resolved`.
   */
  resolve(hostname: string): readonly string[] | Promise<readonly string[]> {
    const known = this.#entries.get(hostname);
    if (known !== undefined && known.until > this.#clock.now()) {
      return known.addresses;
    }
    return this.#pending.get(hostname) ?? this.#ask(hostname);
  }

  #ask(hostname: string): Promise<readonly string[]> {
    const asked = (async () => {
      try {
        const addresses = await this.#lookUp(hostname);
        if (addresses.length === 0) throw new Error("no address");
        this.#entries.set(hostname, {
          addresses,
          until: this.#clock.now() + KEEP,
        });
        return addresses;
      } catch (thrown) {
        // An address that served a moment ago beats none (RFC 8767's idea).
        const stale = this.#entries.get(hostname);
        if (stale !== undefined) return stale.addresses;
        throw new ProxyError(
          "name_not_resolved",
          `Cannot resolve ${hostname}: ${
            thrown instanceof Error ? thrown.message : thrown
          }`,
          { cause: thrown },
        );
      } finally {
        this.#pending.delete(hostname);
      }
    })();
    this.#pending.set(hostname, asked);
    return asked;
  }
}

/** Whether the host is an IP address and needs no resolver. */
export function isLiteral(hostname: string): boolean {
  return isIP(hostname) !== 0;
}

async function systemLookUp(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true });
  return found.map((entry) => entry.address);
}
