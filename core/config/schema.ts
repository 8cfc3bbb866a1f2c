/**
 * The schema of the whole file: design.md §4, every key of it.
 *
 * @module
 */
import type { z } from "zod";
import type { ListenAddress } from "../net/address.ts";
import type { AdminConfig, Config, PluginConfig } from "./config.ts";
import type { CacheConfig } from "./config_cache.ts";
import { pluginUse } from "./plugin_use.ts";
import {
  boolean,
  choice,
  condition,
  duration,
  integer,
  listenAddress,
  name,
  network,
  number,
  size,
  text,
} from "./scalars.ts";
import type { Scalar } from "./scalars.ts";
import { clusterSchema } from "./schema_cluster.ts";
import { listenerSchema } from "./schema_listener.ts";
import {
  anything,
  list,
  listWithDefault,
  mapping,
  mappingOfDefaults,
  maybe,
  optional,
  required,
  withDefault,
} from "./schema_parts.ts";
import { productSchema } from "./schema_product.ts";
import { nearest } from "../text/suggest.ts";
import { ValueError } from "./value_error.ts";

const plugin: z.ZodType<PluginConfig> = mapping("A plugin instance.", {
  use: required(pluginUse(
    "Where the module comes from: https:, http:, file:, npm:, jsr:, data:, builtin:NAME or a path relative to this file.",
  )),
  integrity: optional(text("sha256-…, as headrace plugin hash prints it.", {
    pattern: "^sha256-[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$",
    expected: "sha256- and 44 base64 digits, as headrace plugin hash prints it",
  })),
  name: optional(name("Left out = the plugin's own name.")),
  products: maybe(list(
    "Products that it is limited to; left out = all.",
    required(name("A product's name.")),
  )),
  listeners: maybe(list(
    "Listeners that it is limited to; left out = all.",
    required(name("A listener's name.")),
  )),
  order: withDefault(0, number("Place among handlers, lower runs first.")),
  timeout: withDefault("5s", duration("How long an async handler may take.")),
  onError: withDefault(
    "refuse",
    choice("What a handler's failure does.", ["refuse", "ignore"]),
  ),
  options: anything("The plugin's own options; its schema checks them."),
});

/** As `keyMaker` of the cache reads it. */
const KEY_PATTERN =
  "^(path|query(:[^\\s]+)?|header:[\\w!#$%&'*+.^`|~-]+|cookie:[^\\s]+)( (path|query(:[^\\s]+)?|header:[\\w!#$%&'*+.^`|~-]+|cookie:[^\\s]+))*$";

const cache: z.ZodType<CacheConfig> = mapping("The cache.", {
  enabled: withDefault(true, boolean("Whether there is one.")),
  memory: withDefault("256MiB", size("Bytes in memory.")),
  disk: maybe(mapping("The cache on disk.", {
    path: required(text("Its folder; relative to this file's.")),
    size: required(size("Bytes on disk.")),
  })),
  purgeFrom: listWithDefault(
    [],
    "Networks that may purge.",
    required(network("An IP network or address.")),
  ),
  rules: maybe(list(
    "The first match wins.",
    mapping("What is cached, and for how long.", {
      when: optional(condition("The condition, in single quotes.")),
      ttl: optional(
        duration("How long a response is fresh that says nothing of it."),
      ),
      negative: optional(
        duration(
          "The same for errors: 403, 404, 405, 410, 414, 451, 500 to 504.",
        ),
      ),
      stale: optional(
        duration(
          "How long beyond that it may be served, while it is fetched anew or its backend fails, where it says nothing of that.",
        ),
      ),
      minUses: optional(integer("Requests before it is stored.", { min: 1 })),
      key: optional(text(
        "What tells stored responses apart beside scheme, host and path, with spaces between: query (all of it), query:NAME, header:NAME, cookie:NAME. Left out = query; path alone = nothing more.",
        {
          pattern: KEY_PATTERN,
          expected:
            "parts such as query, query:NAME, header:NAME or cookie:NAME with spaces between, or path",
        },
      )),
      bypass: optional(boolean("Whether the cache is left aside.")),
    }),
  )),
}).transform(({ rules, ...rest }) => ({ ...rest, rules: rules ?? [] }));

const admin: z.ZodType<AdminConfig> = mappingOfDefaults(
  "The admin interface.",
  {
    address: withDefault(
      "127.0.0.1:9090",
      adminAddress("What it binds: host:port or unix:/path."),
    ),
    token: optional(
      text("The bearer token, required beyond loopback.", { min: 0 }),
    ),
    backendCluster: optional(
      name("Where /backend/add adds to; left out = the only cluster."),
    ),
  },
).transform(({ token, ...rest }) => ({ ...rest, token: token || undefined }));

/** The whole file. */
export const configSchema: z.ZodType<Config> = mapping("Headrace's config.", {
  listeners: list("What clients connect to.", listenerSchema),
  products: maybe(list(
    "Tenants, found by host; left out = one with a rule to the only cluster.",
    productSchema,
  )),
  clusters: maybe(list("Services.", clusterSchema, { min: 0 })),
  plugins: maybe(list("Plugins, in their order.", plugin, { min: 0 })),
  cache: maybe(cache),
  admin,
  workers: withDefault("auto", workers("A number, or auto: one per core.")),
  io: withDefault(
    "standard",
    choice(
      "What reads and writes connections: Deno.Conn, or what Deno does not document, at less CPU time.",
      ["standard", "direct"],
    ),
  ),
  buffers: mappingOfDefaults("Memory for what is on its way.", {
    bulk: withDefault(
      "16MiB",
      size(
        "Bytes of buffers of 256 KiB that a worker's streams may have at once; beyond that smaller ones serve.",
        { min: 256 * 1024 },
      ),
    ),
  }),
  log: mappingOfDefaults("Headrace's own log.", {
    level: withDefault(
      "info",
      choice("The least that is logged.", ["debug", "info", "warn", "error"]),
    ),
    format: withDefault("json", choice("One line each.", ["json", "text"])),
  }),
  drain: mappingOfDefaults("The end of the process.", {
    timeout: withDefault(
      "30s",
      duration("Until what is still open is cut.", { min: 0 }),
    ),
  }),
}).transform(({ products, clusters, plugins, ...rest }) => ({
  ...rest,
  products: products ?? [],
  clusters: clusters ?? [],
  plugins: plugins ?? [],
}));

function workers(description: string): Scalar<number | "auto"> {
  const count = integer(description, { min: 1, max: 1024 });
  return {
    description,
    json: { anyOf: [{ const: "auto" }, count.json] },
    parse(value) {
      if (value === "auto") return value;
      try {
        return count.parse(value);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        throw new ValueError(
          `${error.message}, or auto`,
          typeof value === "string" ? nearest(value, ["auto"]) : undefined,
        );
      }
    },
  };
}

function adminAddress(description: string): Scalar<ListenAddress> {
  const address = listenAddress(description);
  return {
    ...address,
    parse(value) {
      const parsed = address.parse(value);
      if (parsed.kind === "tcp" && parsed.lastPort !== parsed.port) {
        throw new ValueError(
          "Expected one port: the admin address is no range",
        );
      }
      return parsed;
    },
  };
}
