/**
 * Finds a product by host.
 *
 * @module
 */
import type { ProductConfig } from "../config/config.ts";
import { HostTable } from "./host_table.ts";
import type { Product } from "./product.ts";

/** A product and the hosts that it claims. */
export interface ProductEntry {
  readonly config: ProductConfig;
  readonly product: Product;
}

/** Why a host is a product's. */
export interface HostMatch {
  readonly product: Product;
  readonly by: "exact" | "wildcard" | "default";
  /** The host of the config that covers it; undefined for the default. */
  readonly host: string | undefined;
}

/** Products by host; the default serves what nobody claims. */
export class ProductIndex {
  readonly #byHost = new HostTable<HostMatch>();
  readonly #default: HostMatch | undefined;

  constructor(entries: readonly ProductEntry[]) {
    let fallback: HostMatch | undefined;
    for (const { config, product } of entries) {
      if (config.default) {
        fallback = { product, by: "default", host: undefined };
      }
      for (const host of config.hosts) {
        const by = host.startsWith("*") ? "wildcard" : "exact";
        this.#byHost.set(host, { product, by, host });
      }
    }
    this.#default = fallback;
  }

  /** The product of a host as `HttpRequest.host` tells it; undefined where nobody claims it. */
  find(host: string): Product | undefined {
    return this.match(host)?.product;
  }

  /** As `find`, with the reason. */
  match(host: string): HostMatch | undefined {
    return this.#byHost.find(host) ?? this.#default;
  }
}
