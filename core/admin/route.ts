/**
 * A row of the table of admin routes.
 *
 * Whatever is said about a route (how it is registered, what other methods are
 * told, whether it needs the token, its line on the page) is made from its row.
 *
 * @module
 */
import type { Context } from "hono";

/** One method of one path. */
export interface AdminRoute {
  /** `GET` answers HEAD too. */
  readonly method: "GET" | "POST" | "PATCH";
  /** As Hono writes it: `/session/abort/:id`. */
  readonly path: string;
  /** One line for people. */
  readonly does: string;
  /** Answered without the token, for probes that have none. Only for paths without parameters. Default false. */
  readonly open?: boolean;
  handle(context: Context): Response | Promise<Response>;
}
