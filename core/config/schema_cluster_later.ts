/**
 * The schemas of those blocks of a cluster whose parts are still to come;
 * `unsupported.ts` refuses them.
 *
 * @module
 */
import type { z } from "zod";
import type {
  BackendTlsConfig,
  BreakerConfig,
  HashConfig,
  HealthConfig,
  PassiveHealthConfig,
  QueueConfig,
  RequestBufferConfig,
  RetriesConfig,
  StickyConfig,
  WebSocketConfig,
} from "./config_later.ts";
import {
  choice,
  duration,
  integer,
  percentage,
  size,
  statusRange,
  text,
} from "./scalars.ts";
import type { Scalar } from "./scalars.ts";
import {
  list,
  listWithDefault,
  mapping,
  maybe,
  optional,
  required,
  withDefault,
} from "./schema_parts.ts";
import { ValueError } from "./value_error.ts";

/** A token of RFC 9110 §5.6.2. */
const TOKEN = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";

/** `clusters[].hash` */
export const hash: z.ZodType<HashConfig> = mapping("What is hashed.", {
  key: required(text(
    "clientAddress, uri, path, header:NAME, cookie:NAME or query:NAME.",
    {
      pattern: "^(clientAddress|uri|path|(header|cookie|query):\\S+)$",
      expected:
        "clientAddress, uri, path, header:NAME, cookie:NAME or query:NAME",
    },
  )),
});

/** `clusters[].sticky` */
export const sticky: z.ZodType<StickyConfig> = mapping(
  "Sessions that stay with their backend.",
  { cookie: required(token("The cookie's name.")) },
);

/** `clusters[].queue` */
export const queue: z.ZodType<QueueConfig> = mapping(
  "Requests that wait for a slot of a backend.",
  {
    size: withDefault(1000, integer("How many may wait.")),
    timeout: withDefault("5s", duration("How long one waits.")),
  },
);

/** `clusters[].health` */
export const health: z.ZodType<HealthConfig> = mapping("Active checks.", {
  type: withDefault("http", choice("What is checked.", ["http", "tcp"])),
  method: withDefault("GET", token("The request's method.")),
  path: withDefault(
    "/",
    text("The request's path.", {
      pattern: "^/",
      expected: "a path that begins with a slash",
    }),
  ),
  host: optional(text("The Host header; left out = the backend's.")),
  statuses: listWithDefault(
    ["200-399"],
    "Statuses that count as healthy.",
    required(statusRange("A status or a range of them.")),
  ),
  body: optional(text("Text that the body must contain.")),
  interval: withDefault("2s", duration("Between two checks.")),
  timeout: withDefault("1s", duration("How long one may take.")),
  rise: withDefault(2, integer("Good checks in a row to be up.", { min: 1 })),
  fall: withDefault(3, integer("Bad checks in a row to be down.", { min: 1 })),
});

/** `clusters[].passiveHealth` */
export const passiveHealth: z.ZodType<PassiveHealthConfig> = mapping(
  "Health by what requests meet.",
  {
    failures: withDefault(5, integer("Failures in a row.", { min: 1 })),
    statuses: listWithDefault(
      ["502-504"],
      "Statuses that count as failures.",
      required(statusRange("A status or a range of them.")),
    ),
    coolDown: withDefault("10s", duration("How long the backend rests.")),
  },
);

/** `clusters[].breaker` */
export const breaker: z.ZodType<BreakerConfig> = mapping("Circuit breaker.", {
  failures: withDefault(5, integer("Failures that open it.", { min: 1 })),
  reset: withDefault("30s", duration("Until it is tried again.")),
});

/** `clusters[].retries` */
export const retries: z.ZodType<RetriesConfig> = mapping("Further attempts.", {
  max: withDefault(3, integer("Extra attempts after the first.", { max: 100 })),
  crossSubcluster: withDefault(
    1,
    integer("Of these, at most so many in another subcluster.", { max: 100 }),
  ),
  causes: listWithDefault(
    ["connect", "reset", "502", "503", "504"],
    "What is retried: connect, reset or statuses.",
    required(retryCause("connect, reset or a status.")),
  ),
  methods: listWithDefault(
    ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"],
    "Methods that may be sent again.",
    required(token("A method.")),
  ),
  budget: withDefault(
    "20%",
    percentage(
      "Share of the cluster's requests over 10 s, at least 3 a second.",
    ),
  ),
  bufferBytes: withDefault(
    "64KiB",
    size("Bytes of a body kept for a replay.", { min: 0 }),
  ),
});

/** `clusters[].requestBuffer` */
export const requestBuffer: z.ZodType<RequestBufferConfig> = mapping(
  "Request bodies are read whole before a backend is chosen.",
  {
    bytes: required(size("Bytes in memory.")),
    disk: optional(size("Bytes on disk.")),
  },
);

/** `clusters[].tls` */
export const tls: z.ZodType<BackendTlsConfig> = mapping("TLS to backends.", {
  ca: optional(text("The PEM file of the authorities.")),
  serverName: optional(text("The name that is asked for and verified.")),
  cert: optional(text("The client certificate's PEM file.")),
  key: optional(text("The client key's PEM file.")),
});

/** `clusters[].websocket` */
export const websocket: z.ZodType<WebSocketConfig> = mapping("WebSocket.", {
  mode: withDefault(
    "session",
    choice("Messages or bytes.", [
      "session",
      "tunnel",
    ]),
  ),
  pingInterval: withDefault("20s", duration("Between two pings.")),
  pongTimeout: withDefault("10s", duration("Until a pong must be there.")),
  hold: withDefault("10s", duration("A client is held without a backend.")),
  maxMessage: withDefault("16MiB", size("Bytes of one message.")),
  replay: withDefault("1MiB", replay("Bytes kept for a replay, or none.")),
  drain: withDefault("10s", duration("How long sessions may move away.")),
  abnormalCodes: listWithDefault(
    [1001, 1005, 1006, 1011, 1012, 1013],
    "Close codes that mean a failure.",
    required(integer("A close code.", { min: 1000, max: 4999 })),
  ),
  origins: maybe(list("Allowed origins.", required(text("An origin.")))),
  blockHeaders: listWithDefault(
    [],
    "Fields of the request that backends don't get.",
    required(token("A field's name.")),
  ),
  passHeaders: listWithDefault(
    ["Set-Cookie"],
    "Fields of the response that clients get.",
    required(token("A field's name.")),
  ),
  reconnectHeader: withDefault(
    "X-Balancer-Reconnect",
    token("The field that marks a re-dial."),
  ),
});

function token(description: string): Scalar<string> {
  return text(description, {
    pattern: TOKEN,
    expected: "a token: letters, digits and !#$%&'*+-.^_`|~",
  });
}

function replay(description: string): Scalar<number | "none"> {
  const bytes = size(description);
  return {
    ...bytes,
    json: { anyOf: [{ const: "none" }, bytes.json] },
    parse(value) {
      if (value === "none") return value;
      try {
        return bytes.parse(value);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        throw new ValueError(`${error.message}, or none`, error.suggestion);
      }
    },
  };
}

function retryCause(description: string): Scalar<string> {
  return {
    description,
    json: { type: ["string", "integer"] },
    parse(value) {
      const cause = String(value);
      if (!/^(connect|reset|[45]\d\d)$/.test(cause)) {
        throw new ValueError("Expected connect, reset or a status");
      }
      return cause;
    },
  };
}
