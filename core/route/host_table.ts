/**
 * What belongs to a host, found with a look-up per label instead of a walk.
 *
 * @module
 */

/** Values by host: exact beats wildcard, the longest wildcard wins. */
export class HostTable<T> {
  readonly #exact = new Map<string, T>();
  /** By the part behind `*`, with its dot; a wildcard covers every depth below, as in nginx and BFE. */
  readonly #wildcards = new Map<string, T>();

  /** Adds a host or `*.domain` in the config's normal form. */
  set(host: string, value: T): void {
    if (host.startsWith("*")) this.#wildcards.set(host.slice(1), value);
    // An IPv6 address is written in brackets, a request's host is without.
    else this.#exact.set(host.replace(/^\[(.*)\]$/, "$1"), value);
  }

  /** What belongs to a host as `canonicalHost` writes it. */
  find(host: string): T | undefined {
    const exact = this.#exact.get(host);
    if (exact !== undefined || this.#wildcards.size === 0) return exact;
    // A label goes before it: ".example.com" is no subdomain.
    let dot = host.indexOf(".", 1);
    while (dot >= 0) {
      const found = this.#wildcards.get(host.slice(dot));
      if (found !== undefined) return found;
      dot = host.indexOf(".", dot + 1);
    }
    return undefined;
  }
}
