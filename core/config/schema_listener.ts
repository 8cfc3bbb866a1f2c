/**
 * The schema of `listeners`.
 *
 * @module
 */
import type { z } from "zod";
import type {
  LimitsConfig,
  ListenerConfig,
  ListenerTlsConfig,
} from "./config.ts";
import {
  boolean,
  choice,
  duration,
  integer,
  listenAddress,
  name,
  network,
  size,
  text,
} from "./scalars.ts";
import {
  list,
  listWithDefault,
  mapping,
  mappingOfDefaults,
  maybe,
  optional,
  recordByHost,
  required,
  withDefault,
} from "./schema_parts.ts";

const DEFAULT_TARGET_BYTES = 8 * 1024;

const socket = mappingOfDefaults("Options of the listener's sockets.", {
  noDelay: withDefault(
    true,
    boolean(
      "TCP_NODELAY. On a TLS listener that takes FFI on Linux (--allow-ffi); without it node:tls serves.",
    ),
  ),
  keepAlive: withDefault(
    true,
    boolean("SO_KEEPALIVE. On a TLS listener as noDelay."),
  ),
  backlog: withDefault(
    4096,
    integer("Connections that the system queues before they are accepted.", {
      min: 1,
      max: 65_535,
    }),
  ),
});

const tls: z.ZodType<ListenerTlsConfig> = mapping("TLS of the listener.", {
  certificates: list(
    "Chosen by SNI, the first is the default; reread when the files change. A single one can be served by Deno's own TLS listener; several take node:tls (Deno 2.9), which costs about twice the CPU time per request.",
    mapping("A certificate and its key.", {
      cert: required(text("The certificate's PEM file.")),
      key: required(text("The key's PEM file.")),
    }),
  ),
  strictSni: withDefault(
    false,
    boolean(
      "Refuse clients whose SNI name no certificate covers, and those without one.",
    ),
  ),
  verifyHost: withDefault(
    false,
    boolean(
      "http only: answer 421 where the Host is not covered by the certificate that SNI chose.",
    ),
  ),
  alpn: listWithDefault(
    ["h2", "http/1.1"],
    "http only: protocols by preference; h2 is not spoken yet and not offered.",
    required(choice("A protocol.", ["h2", "http/1.1"])),
  ),
  clientAuth: maybe(mapping("Client certificates.", {
    ca: required(text("The PEM file of the authorities.")),
    mode: withDefault(
      "require",
      choice("Whether a client may come without one.", ["request", "require"]),
    ),
  })),
});

const limits: z.ZodType<LimitsConfig> = mappingOfDefaults(
  "What the listener bears.",
  {
    connections: withDefault(
      10_000,
      integer(
        "Connections open at once, over all workers; at the limit none is accepted.",
        {
          min: 1,
        },
      ),
    ),
    connectionsPerAddress: optional(
      integer(
        "Connections open at once from one client address, over all workers; behind a PROXY header the one that it names.",
        { min: 1 },
      ),
    ),
    headerBytes: withDefault(
      "16KiB",
      size("Bytes of a request's head.", { min: 1024, max: 16 * 1024 ** 2 }),
    ),
    headers: withDefault(
      100,
      integer("Header lines of a request.", { min: 1, max: 10_000 }),
    ),
    targetBytes: optional(
      size(
        "Bytes of a request's target, at most headerBytes. Default 8KiB.",
        { min: 64, max: 16 * 1024 ** 2 },
      ),
    ),
    bodyBytes: optional(
      size("Bytes of a request's body; left out = unlimited.", { min: 0 }),
    ),
  },
).transform(({ targetBytes, ...rest }) => ({
  ...rest,
  targetBytes: targetBytes ?? Math.min(DEFAULT_TARGET_BYTES, rest.headerBytes),
}));

const timeouts = mappingOfDefaults(
  "How long the listener waits for a client.",
  {
    handshake: withDefault(
      "10s",
      duration(
        "The whole PROXY header, and then the whole TLS handshake or, with sni, the ClientHello.",
      ),
    ),
    header: withDefault(
      "10s",
      duration(
        "A request's whole head, since its first byte; on a new connection also the wait for that.",
      ),
    ),
    body: withDefault(
      "30s",
      duration("Since the last byte of a request's body."),
    ),
    write: withDefault("30s", duration("Since the client last took a byte.")),
    keepAlive: withDefault(
      "60s",
      duration("Between two requests."),
    ),
    tunnel: withDefault(
      "1h",
      duration("Without a byte in either direction of TCP or a WebSocket."),
    ),
  },
);

/** One of `listeners`. */
export const listenerSchema: z.ZodType<ListenerConfig> = mapping(
  "A listener.",
  {
    name: required(name("Its name.")),
    address: required(
      listenAddress(
        "What it binds: 0.0.0.0:8080, [::]:8080, 127.0.0.1:9000-9003 (a listener each) or unix:/run/headrace.sock.",
      ),
    ),
    protocol: withDefault(
      "http",
      choice("What clients speak.", ["http", "tcp"]),
    ),
    proxyProtocol: withDefault(
      "none",
      choice(
        "The PROXY header (v1 and v2) of peers in trusted, before anything else. accept: they may send one; require: they must, and others are refused.",
        ["none", "accept", "require"],
      ),
    ),
    trusted: listWithDefault(
      [],
      "Whose PROXY header, X-Forwarded-* and Forwarded are believed; the peer that a PROXY header names counts for the fields.",
      required(network("An IP network or address.")),
    ),
    hops: withDefault(
      1,
      integer(
        "How many trusted proxies stand before this one; those that send a PROXY header do not count.",
        { min: 1, max: 100 },
      ),
    ),
    socket,
    tls: maybe(tls),
    limits,
    timeouts,
    cluster: optional(name("tcp only: where the bytes go.")),
    sni: maybe(recordByHost(
      "tcp only: clusters by the name that a TLS client asks for (db.example.com or *.example.com), without ending TLS.",
      required(name("The cluster.")),
    )),
    products: maybe(list(
      "http only: which products it serves; left out = all.",
      required(name("A product's name.")),
    )),
  },
);
