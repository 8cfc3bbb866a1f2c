/**
 * The schemas of a cluster's blocks, but for health.
 *
 * @module
 */
import type { z } from "zod";
import type {
  HashConfig,
  QueueConfig,
  RequestBufferConfig,
  RetriesConfig,
  StickyConfig,
  WebSocketConfig,
} from "./config_cluster_parts.ts";
import {
  choice,
  duration,
  integer,
  percentage,
  size,
  text,
  token,
} from "./scalars.ts";
import type { Scalar } from "./scalars.ts";
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
    size: withDefault(1000, integer("How many may wait, over all workers.")),
    timeout: withDefault("5s", duration("How long one waits.")),
  },
);

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

/** `clusters[].websocket` */
export const websocket: z.ZodType<WebSocketConfig> = mappingOfDefaults(
  "WebSocket.",
  {
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
  },
);

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
