/**
 * Rows of wsbalancer's routes: they take any method, and say in its words which
 * one is right.
 *
 * @module
 */
import type { Context } from "hono";
import { RefusedError } from "../data_plane/control.ts";
import type { AdminRoute } from "./route.ts";
import { BackendRefusal } from "../supervisor/backend_changes.ts";
import { answerFailed, answerText, ONLY_POST } from "./wsbalancer.ts";

/** A route that tells a list, whatever the method. */
export function listRoute(
  path: string,
  does: string,
  list: () => Promise<readonly unknown[] | Response>,
): AdminRoute {
  return {
    method: "GET",
    path,
    does: `${does}, as wsbalancer lists them`,
    anyMethod: true,
    async handle() {
      const listed = await list();
      return listed instanceof Response
        ? listed
        : answerText(JSON.stringify(listed));
    },
  };
}

/** A route that does something to whatever the path ends with. */
export function postRoute(
  path: string,
  does: string,
  run: (id: string) => Promise<string>,
  refuse: () => Promise<Response | undefined> = () =>
    Promise.resolve(undefined),
): AdminRoute {
  return {
    method: "POST",
    path,
    does: `${does}, as wsbalancer does`,
    anyMethod: true,
    rest: true,
    async handle(context) {
      const refused = await refuse() ?? refuseMethod(context);
      if (refused !== undefined) return refused;
      const id = context.req.param("id");
      if (!id) return missingId();
      return await answerOrRefusal(async () => answerText(await run(id)));
    },
  };
}

/** What another method than POST is told. */
export function refuseMethod(context: Context): Response | undefined {
  // The raw method: Hono's own is GET for HEAD.
  return context.req.raw.method === "POST"
    ? undefined
    : answerText(ONLY_POST, 400);
}

/** The path ends where an id should stand. */
export function missingId(): Response {
  return answerFailed("The path must end with an id", 404);
}

/** The answer, or why the planes can't do it now. */
export async function answerOrRefusal(
  answer: () => Promise<Response>,
): Promise<Response> {
  try {
    return await answer();
  } catch (thrown) {
    if (thrown instanceof BackendRefusal) return refusal(thrown);
    if (!(thrown instanceof RefusedError)) throw thrown;
    return answerFailed(thrown.problems.join("; "), 409);
  }
}

function refusal({ kind, message }: BackendRefusal): Response {
  if (kind === "url") return answerFailed("url already exists");
  return answerFailed(message, kind === "invalid" ? 400 : 409);
}
