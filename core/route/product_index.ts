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

/** Products by host; the default serves what nobody claims. */
export class ProductIndex {
  readonly #byHost = new HostTable<Product>();
  readonly #default: Product | undefined;

  constructor(entries: readonly ProductEntry[]) {
    let fallback: Product | undefined;
    for (const { config, product } of entries) {
      if (config.default) fallback = product;
      for (const host of config.hosts) this.#byHost.set(host, product);
    }
    this.#default = fallback;
  }

  /** The product of a host as `HttpRequest.host` tells it; undefined where nobody claims it. */
  find(host: string): Product | undefined {
    return this.#byHost.find(host) ?? this.#default;
  }
}
