/**
 * Names to addresses, by the system's own resolver (hosts file included), kept
 * as long as DNS says and asked once for many.
 *
 * @module
 */
import { lookup, resolve4, resolve6 } from "node:dns/promises";
import { isIP } from "node:net";
import { ProxyError } from "../errors.ts";
import type { Clock } from "./clock.ts";

/** What a name resolves to. */
export interface Resolution {
  /** In the order to try them. */
  readonly addresses: readonly string[];
  /** Milliseconds that they may be kept; undefined where nobody tells. */
  readonly ttl: number | undefined;
}

/** Looks up a name. */
export type LookUp = (hostname: string) => Promise<Resolution>;

/** How long to keep what nobody tells a TTL of, such as the hosts file: nginx's habit of asking never again loses moved backends. */
const KEEP = 5_000;

/** A TTL is believed within these bounds: 0 would ask for each request, a day would lose who moves before. */
const MIN_KEEP = 1_000;
const MAX_KEEP = 300_000;

/** Nobody waits for the new answer where the old one ended so few milliseconds ago (RFC 8767's idea). */
const MAX_STALE = 30_000;

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
    const now = this.#clock.now();
    if (known !== undefined && known.until > now) return known.addresses;
    const asked = this.#pending.get(hostname) ?? this.#ask(hostname);
    return known !== undefined && known.until + MAX_STALE > now
      ? known.addresses
      : asked;
  }

  #ask(hostname: string): Promise<readonly string[]> {
    const asked = (async () => {
      try {
        const { addresses, ttl } = await this.#lookUp(hostname);
        if (addresses.length === 0) throw new Error("no address");
        const keep = ttl === undefined
          ? KEEP
          : Math.min(Math.max(ttl, MIN_KEEP), MAX_KEEP);
        this.#entries.set(hostname, {
          addresses,
          until: this.#clock.now() + keep,
        });
        return addresses;
      } catch (thrown) {
        // An address that served before beats none: until it is asked for again.
        const stale = this.#entries.get(hostname);
        if (stale !== undefined) {
          this.#entries.set(hostname, {
            addresses: stale.addresses,
            until: this.#clock.now() + KEEP,
          });
          return stale.addresses;
        }
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

/** The system knows the addresses and their order, DNS how long they hold. */
async function systemLookUp(hostname: string): Promise<Resolution> {
  const [found, ttl] = await Promise.all([
    lookup(hostname, { all: true }),
    ttlOf(hostname),
  ]);
  return { addresses: found.map((entry) => entry.address), ttl };
}

/** The shortest TTL of the name's records, in milliseconds; undefined where DNS has none. */
async function ttlOf(hostname: string): Promise<number | undefined> {
  const answers = await Promise.allSettled([
    resolve4(hostname, { ttl: true }),
    resolve6(hostname, { ttl: true }),
  ]);
  const ttls = answers.flatMap((answer) =>
    answer.status === "fulfilled" ? answer.value.map(({ ttl }) => ttl) : []
  );
  return ttls.length === 0 ? undefined : Math.min(...ttls) * 1_000;
}
