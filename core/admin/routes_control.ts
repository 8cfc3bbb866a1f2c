/**
 * What changes the whole proxy.
 *
 * @module
 */
import { RefusedError } from "../data_plane/control.ts";
import type { Log } from "../plugin.ts";
import { answerError, answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The routes for reload and drain. */
export function controlRoutes(source: AdminSource, log: Log): AdminRoute[] {
  return [
    {
      method: "POST",
      path: "/api/reload",
      does: "loads the config anew; 422 with every problem if it is refused",
      handle: () => reload(source),
    },
    {
      method: "POST",
      path: "/api/drain",
      does: "stops accepting and lets what is open end",
      handle: () => drain(source, log),
    },
  ];
}

async function reload(source: AdminSource): Promise<Response> {
  // New listeners would be bound by a process that is about to end.
  if (source.state !== "ready") {
    return answerError(
      409,
      `Cannot reload as the proxy must be ready: current state is ${source.state}`,
    );
  }
  try {
    await source.reload();
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    return answerJson({ problems: thrown.problems }, 422);
  }
  const { revision } = await source.report(0);
  return answerJson({ revision });
}

function drain(source: AdminSource, log: Log): Response {
  if (source.state === "starting") {
    return answerError(
      409,
      "Cannot drain as the proxy must be ready: current state is starting",
    );
  }
  log.info("A drain was asked for over the admin interface");
  // Not awaited: it lasts as long as the sessions do.
  source.drain().catch((error) => log.error("The drain failed", { error }));
  return answerJson({ state: source.state }, 202);
}
