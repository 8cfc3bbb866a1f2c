/**
 * The schema of `clusters`.
 *
 * @module
 */
import { isIP } from "node:net";
import type { z } from "zod";
import { defaultBackendId } from "./backend_url.ts";
import type {
  BackendConfig,
  BackendTlsConfig,
  ClusterConfig,
} from "./config.ts";
import { parseHostPattern } from "./host_pattern.ts";
import {
  backendUrl,
  boolean,
  choice,
  duration,
  hostField,
  integer,
  name,
  pemFile,
  percentage,
  text,
} from "./scalars.ts";
import type { Scalar } from "./scalars.ts";
import {
  hash,
  queue,
  requestBuffer,
  retries,
  sticky,
  websocket,
} from "./schema_cluster_parts.ts";
import { breaker, health, passiveHealth } from "./schema_health.ts";
import {
  list,
  listWithDefault,
  mapping,
  mappingOfDefaults,
  maybe,
  optional,
  required,
  withDefault,
} from "./schema_parts.ts";
import { ValueError } from "./value_error.ts";
import { MAX_WEIGHT } from "./units.ts";

const backend: z.ZodType<BackendConfig> = mapping("A backend.", {
  id: optional(name("Unique in the file; left out = its address.")),
  url: required(
    backendUrl(
      "http://host:port, https://host:port (a path is put before the request's), tcp://host:port or unix:/path.",
    ),
  ),
  weight: withDefault(
    1,
    integer("Its share of the subcluster's requests; 0 = no new sessions.", {
      max: MAX_WEIGHT,
    }),
  ),
  maxConnections: optional(
    integer("Connections to it at once.", { min: 1 }),
  ),
  backup: withDefault(
    false,
    boolean("Whether it serves only where no other can."),
  ),
}).transform(({ id, ...rest }) => ({
  id: id ?? defaultBackendId(rest.url),
  ...rest,
}));

const subcluster = mapping("A zone or group of backends.", {
  name: required(name("Unique in its cluster.")),
  weight: withDefault(
    1,
    integer("Its share of the cluster's requests.", { max: MAX_WEIGHT }),
  ),
  backends: listWithDefault([], "Its backends; may be empty.", backend),
});

const tls: z.ZodType<BackendTlsConfig> = mapping(
  "TLS to https backends, and to tcp ones where it is given.",
  {
    ca: optional(
      pemFile(
        "The PEM file of the authorities to trust, and no others; left out = the well-known ones.",
      ),
    ),
    serverName: optional(
      serverName(
        "The name that is asked for and verified; left out = the URL's host.",
      ),
    ),
    cert: optional(pemFile("The PEM file of the certificate to show.")),
    key: optional(pemFile("The PEM file of its key, not encrypted.")),
  },
);

/** One of `clusters`. */
export const clusterSchema: z.ZodType<ClusterConfig> = mapping("A cluster.", {
  name: required(name("Its name.")),
  balance: withDefault(
    "roundrobin",
    name("roundrobin, leastconn, random, first, hash or a plugin's policy."),
  ),
  hash: maybe(hash),
  sticky: maybe(sticky),
  hostHeader: withDefault(
    "client",
    hostField(
      "The Host that backends see: client, backend or a name.",
      "client, backend or a host name",
    ),
  ),
  subclusters: maybe(list("Instead of backends.", subcluster)),
  backends: maybe(
    list("One subcluster called default; may be empty.", backend, { min: 0 }),
  ),
  blackhole: withDefault(
    0,
    integer("Weight of requests answered 503 on purpose.", { max: MAX_WEIGHT }),
  ),
  dns: withDefault(
    "first",
    choice(
      "A host name stands for one backend (first), or each of its addresses is a backend with its own health (all).",
      ["first", "all"],
    ),
  ),
  queue: maybe(queue),
  health: maybe(health),
  passiveHealth: maybe(passiveHealth),
  panic: optional(percentage("Fewer healthy than this: use all.")),
  breaker: maybe(breaker),
  slowStart: optional(
    duration("How long the weight of a backend grows that came back."),
  ),
  retries: maybe(retries),
  timeouts: mappingOfDefaults("How long a backend may take.", {
    connect: withDefault(
      "2s",
      duration(
        "To a connection, and then again to the end of its TLS handshake.",
      ),
    ),
    response: withDefault("60s", duration("To the response's head.")),
    read: withDefault(
      "60s",
      duration("Between reads of a response's body."),
    ),
  }),
  keepAlive: mappingOfDefaults("The pool of idle connections.", {
    maxIdle: withDefault(
      256,
      integer("Idle connections kept per worker; 0 = none.", { max: 65_535 }),
    ),
    idle: withDefault("60s", duration("How long one is kept.")),
  }),
  requestBuffer: maybe(requestBuffer),
  tls: maybe(tls),
  proxyProtocol: withDefault(
    "none",
    choice(
      "The PROXY header that each new connection to a backend begins with; such a connection serves one client.",
      ["none", "v1", "v2"],
    ),
  ),
  dialer: optional(
    name("A plugin's BackendDialer chooses and dials for WebSocket sessions."),
  ),
  websocket,
}).transform(({ backends, subclusters, ...rest }) => ({
  ...rest,
  subclusters: subclusters ??
    [{ name: "default", weight: 1, backends: backends ?? [] }],
}));

function serverName(description: string): Scalar<string> {
  const name = text(description);
  return {
    ...name,
    parse(value) {
      const written = name.parse(value);
      if (isIP(written) !== 0) return written;
      try {
        if (!written.startsWith("*")) return parseHostPattern(written);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        // Refused below, in words that fit this key.
      }
      throw new ValueError("Expected a host name or an IP address");
    },
  };
}
