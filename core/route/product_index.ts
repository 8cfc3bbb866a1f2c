/**
 * Finds a product by host with a look-up per label instead of a walk.
 *
 * @module
 */
import type { ProductConfig } from "../config/config.ts";
import type { Product } from "./product.ts";

/** A product and the hosts that it claims. */
export interface ProductEntry {
  readonly config: ProductConfig;
  readonly product: Product;
}

/** Products by host: exact beats wildcard, the longest wildcard wins, then the default. */
export class ProductIndex {
  readonly #exact = new Map<string, Product>();
  /** By the part behind `*`, with its dot; a wildcard covers every depth below, as in nginx and BFE. */
  readonly #wildcards = new Map<string, Product>();
  readonly #default: Product | undefined;

  constructor(entries: readonly ProductEntry[]) {
    let fallback: Product | undefined;
    for (const { config, product } of entries) {
      if (config.default) fallback = product;
      for (const host of config.hosts) {
        if (host.startsWith("*")) this.#wildcards.set(host.slice(1), product);
        // An IPv6 address is written in brackets, a request's host is without.
        else this.#exact.set(host.replace(/^\[(.*)\]$/, "$1"), product);
      }
    }
    this.#default = fallback;
  }

  /** The product of a host as `HttpRequest.host` tells it; undefined where nobody claims it. */
  find(host: string): Product | undefined {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact;
    if (this.#wildcards.size > 0) {
      // A label goes before it: ".example.com" is no subdomain.
      let dot = host.indexOf(".", 1);
      while (dot >= 0) {
        const found = this.#wildcards.get(host.slice(dot));
        if (found !== undefined) return found;
        dot = host.indexOf(".", dot + 1);
      }
    }
    return this.#default;
  }
}
