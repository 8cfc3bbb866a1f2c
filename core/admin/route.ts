/**
 * A row of the table of admin routes.
 *
 * Whatever is said about a route (how it is registered, what other methods are
 * told, whether it needs the token, its line on the page) is made from its row.
 *
 * @module
 */
import type { Context } from "hono";

/** A piece of JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One method of one path. */
export interface AdminRoute {
  /** `GET` answers HEAD too. */
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** As Hono writes it: `/session/abort/:id`. */
  readonly path: string;
  /** The last parameter takes the rest of the path, slashes or nothing too. Default false. */
  readonly rest?: boolean;
  /** `handle` gets every method and judges it by itself. Default false. */
  readonly anyMethod?: boolean;
  /** One line for people. */
  readonly does: string;
  /** JSON Schemas of the parameters that its query may have. */
  readonly query?: Readonly<Record<string, JsonSchema>>;
  /** The JSON Schema of the body that it takes; left out = it takes none. */
  readonly body?: JsonSchema;
  /** What its statuses mean; 200 unless another one of its kind is there. */
  readonly answers?: Readonly<Record<number, string>>;
  /** Answered without the token, for probes that have none. Only for paths without parameters. Default false. */
  readonly open?: boolean;
  handle(context: Context): Response | Promise<Response>;
}
