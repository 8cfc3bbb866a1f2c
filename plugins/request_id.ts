/**
 * Gives each request an id that the backend, the client and the logs see.
 *
 * ```yaml
 * listeners:
 *   - { name: web, address: "127.0.0.1:8080", trusted: ["10.0.0.0/8"] }
 * products:
 *   - name: site
 *     default: true
 *     rules: [{ respond: { status: 200, body: "hello\n" } }]
 * plugins:
 *   - { use: "builtin:request-id", options: { header: X-Request-Id, accept: trusted } }
 * ```
 *
 * An id that comes with the request is kept where `accept` says so: from the
 * listener's `trusted` peers, from everybody, or never. It must be 1 to 128
 * letters, digits and `-._~:+/=@`: others could forge log lines, and are
 * replaced. What is made is the transaction's id, as in logs and error bodies,
 * or a random UUID. Give the plugin a low `order`, so that others see the id.
 *
 * `headrace_plugin_request_id_ids_total{from}` counts those that were `accepted`
 * and `made`.
 *
 * @module
 */
import { z } from "zod";
import type { HttpRequest, Plugin } from "../core/plugin.ts";
import { fieldName } from "./field_name.ts";

const Options = z.strictObject({
  header: fieldName().default("X-Request-Id").describe(
    "The field's name, in both directions",
  ),
  accept: z.enum(["trusted", "always", "never"]).default("trusted")
    .describe("Whose ids are kept"),
  format: z.enum(["transaction", "uuid"]).default("transaction")
    .describe("What a made id is"),
  respond: z.boolean().default(true).describe("Also tell the client"),
}).prefault({});

type RequestIdOptions = z.output<typeof Options>;

/** Where a transaction's data has the id, for whoever else wants it. */
const REQUEST_ID = Symbol.for("headrace.request-id");

const ACCEPTED = /^[A-Za-z0-9._~:+/=@-]{1,128}$/;

export default {
  name: "request-id",
  options: Options,
  setup({ options, metrics }) {
    const { header, accept, format, respond } = options;
    const ids = metrics.counter("ids_total", "Ids by where they are from", [
      "from",
    ]);
    const acceptedId = (request: HttpRequest) => {
      if (accept === "never") return undefined;
      if (accept === "trusted" && !request.trusted) return undefined;
      const id = request.headers.get(header);
      return id !== null && ACCEPTED.test(id) ? id : undefined;
    };
    const idOf = (request: HttpRequest): string => {
      const { data } = request.transaction;
      const known = data.get(REQUEST_ID);
      if (typeof known === "string") return known;
      const accepted = acceptedId(request);
      const id = accepted ??
        (format === "uuid" ? crypto.randomUUID() : request.id);
      ids.add(1, accepted === undefined ? "made" : "accepted");
      data.set(REQUEST_ID, id);
      return id;
    };
    return {
      handlers: {
        foundProduct: (request) => {
          request.headers.set(header, idOf(request));
        },
        ...respond && {
          sendResponseHeader: (request, response) => {
            // One that never parsed has no id; one without a product gets its here.
            if (request === undefined) return;
            response.headers.set(header, idOf(request));
          },
        },
      },
    };
  },
} satisfies Plugin<RequestIdOptions>;
