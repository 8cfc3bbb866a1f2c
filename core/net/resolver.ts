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
import { within } from "./within.ts";

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

/** A TTL is waited for so many milliseconds once the addresses are known. */
const TTL_PATIENCE = 1_000;

/** Nobody waits for the new answer where the old one ended so few milliseconds ago (RFC 8767's idea). */
const MAX_STALE = 30_000;

/** An answer, and how long it holds. */
export interface FreshAddresses {
  /** In the order to try them; at least one. */
  readonly addresses: readonly string[];
  /** When to ask again, by the clock's `now`. */
  readonly until: number;
}

interface Entry extends FreshAddresses {
  /** It is kept for want of a newer answer. */
  readonly outdated: boolean;
}

/** Resolves backends' names. */
export class Resolver {
  readonly #clock: Clock;
  readonly #lookUp: LookUp;
  readonly #entries = new Map<string, Entry>();
  readonly #pending = new Map<string, Promise<FreshAddresses>>();

  constructor(clock: Clock, lookUp: LookUp = systemLookUp(clock)) {
    this.#clock = clock;
    this.#lookUp = lookUp;
  }

  /**
   * The addresses of a host name, an IP address as it is. Without a promise
   * where they are known. Addresses that served before beat none: they serve on
   * where the name can't be resolved any more. Rejects with `name_not_resolved`.
   */
  resolve(hostname: string): readonly string[] | Promise<readonly string[]> {
    const known = this.#entries.get(hostname);
    const now = this.#clock.now();
    if (known !== undefined && known.until > now) return known.addresses;
    const asked = this.#ask(hostname).then(
      ({ addresses }) => addresses,
      (error) => {
        const old = this.#entries.get(hostname);
        if (old === undefined) throw error;
        return old.addresses;
      },
    );
    return known !== undefined && known.until + MAX_STALE > now
      ? known.addresses
      : asked;
  }

  /** As `resolve`, but never with an answer that has run out: rejects where a newer one can't be had. */
  async resolveFresh(hostname: string): Promise<FreshAddresses> {
    const known = this.#entries.get(hostname);
    return known?.outdated === false && known.until > this.#clock.now()
      ? known
      : await this.#ask(hostname);
  }

  /** One question for all who ask meanwhile. */
  #ask(hostname: string): Promise<FreshAddresses> {
    const pending = this.#pending.get(hostname);
    if (pending !== undefined) return pending;
    const asked = this.#question(hostname).finally(() =>
      this.#pending.delete(hostname)
    );
    this.#pending.set(hostname, asked);
    return asked;
  }

  async #question(hostname: string): Promise<FreshAddresses> {
    try {
      const { addresses, ttl } = await this.#lookUp(hostname);
      if (addresses.length === 0) throw new Error("no address");
      const keep = ttl === undefined
        ? KEEP
        : Math.min(Math.max(ttl, MIN_KEEP), MAX_KEEP);
      const until = this.#clock.now() + keep;
      const entry = { addresses, until, outdated: false };
      this.#entries.set(hostname, entry);
      return entry;
    } catch (thrown) {
      const old = this.#entries.get(hostname);
      if (old !== undefined) {
        const until = this.#clock.now() + KEEP;
        this.#entries.set(hostname, { ...old, until, outdated: true });
      }
      throw new ProxyError(
        "name_not_resolved",
        `Cannot resolve ${hostname}: ${
          thrown instanceof Error ? thrown.message : thrown
        }`,
        { cause: thrown },
      );
    }
  }
}

/** Whether the host is an IP address and needs no resolver. */
export function isLiteral(hostname: string): boolean {
  return isIP(hostname) !== 0;
}

/** The system knows the addresses and their order, DNS how long they hold. */
function systemLookUp(clock: Clock): LookUp {
  return lookUpWith(
    async (hostname) =>
      (await lookup(hostname, { all: true })).map(({ address }) => address),
    ttlOf,
    clock,
  );
}

/**
 * A lookup of addresses by one source and of their TTL by another, which is
 * waited for only a little: where no DNS server can be reached, that is a matter
 * of many seconds, and names of the hosts file are known all the same.
 */
export function lookUpWith(
  addressesOf: (hostname: string) => Promise<readonly string[]>,
  ttlOf: (hostname: string) => Promise<number | undefined>,
  clock: Clock,
): LookUp {
  return async (hostname) => {
    const asked = ttlOf(hostname);
    const addresses = await addressesOf(hostname);
    const ttl = await within(clock, TTL_PATIENCE, asked, () => undefined);
    return { addresses, ttl };
  };
}

/** The shortest TTL of the name's records, in milliseconds; undefined where DNS has none. Never rejects. */
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
