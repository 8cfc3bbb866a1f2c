/**
 * Listeners: which there are, and whether they take new requests.
 *
 * @module
 */
import { answerError, answerJson } from "./answer.ts";
import { inPlanes } from "./in_planes.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The routes of listeners. A name stands percent-encoded in the path. */
export function listenerRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/api/listeners",
      does:
        "listeners with their addresses, states, whether they are paused, and open connections",
      async handle() {
        const { listeners } = await source.report(0);
        return answerJson({ listeners });
      },
    },
    pauseRoute(source, {
      word: "pause",
      paused: true,
      does:
        "answers 503 to new requests on all addresses of an http listener; sessions go on",
    }),
    pauseRoute(source, {
      word: "resume",
      paused: false,
      does: "takes new requests again",
    }),
  ];
}

function pauseRoute(
  source: AdminSource,
  { word, paused, does }: {
    readonly word: string;
    readonly paused: boolean;
    readonly does: string;
  },
): AdminRoute {
  return {
    method: "POST",
    path: `/api/listeners/:name/${word}`,
    does,
    answers: {
      404: "No http listener has this name",
      409: "The proxy is not ready",
    },
    handle: (context) =>
      inPlanes(source, () => pause(source, context.req.param("name")!, paused)),
  };
}

async function pause(
  source: AdminSource,
  name: string,
  paused: boolean,
): Promise<Response> {
  const changed = await source.pause((one) => one.name === name, paused);
  return changed === undefined
    ? answerError(
      404,
      `No http listener of the config has this name: ${JSON.stringify(name)}`,
    )
    : answerJson({ paused, changed });
}
