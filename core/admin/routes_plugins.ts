/**
 * Plugins, and what they show to operators themselves.
 *
 * @module
 */
import type { Context } from "hono";
import {
  type PluginAnswer,
  type PluginResponse,
  RefusedError,
} from "../data_plane/control.ts";
import { isFramingName } from "../message/field_rules.ts";
import { answerError, answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** Where plugins' own paths begin. */
const PREFIX = "/plugins/";

/** The routes of plugins. */
export function pluginRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/api/plugins",
      does: "plugins with their origins, hashes, callback points and errors",
      async handle() {
        const { plugins } = await source.report(0);
        return answerJson({ plugins });
      },
    },
    {
      method: "GET",
      path: `${PREFIX}:name`,
      does: "leads to the same with a slash, so that the links of pages fit",
      answers: { 308: "With a slash" },
      anyMethod: true,
      handle({ req }) {
        const { pathname, search } = new URL(req.url);
        const location = `${pathname}/${search}`;
        return new Response(null, { status: 308, headers: { location } });
      },
    },
    {
      method: "GET",
      path: `${PREFIX}:name/:rest`,
      does: "what a plugin with an admin part answers, with any method",
      answers: {
        404: "No plugin of this name has an admin part",
        500: "The plugin failed or took too long",
        503: "All workers are being restarted",
      },
      rest: true,
      anyMethod: true,
      handle: (context) => askPlugin(source, context),
    },
  ];
}

async function askPlugin(
  source: AdminSource,
  context: Context,
): Promise<Response> {
  const { raw } = context.req;
  const name = context.req.param("name")!;
  let answer: PluginAnswer;
  try {
    answer = await source.askPlugin({
      plugin: name,
      // The admin interface answers HEAD by what it answers GET.
      method: raw.method === "HEAD" ? "GET" : raw.method,
      url: ownUrl(raw.url),
      headers: [...raw.headers].filter(isPassed),
      body: raw.body === null ? undefined : await raw.bytes(),
    });
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    return answerError(503, thrown.message);
  }
  switch (answer.kind) {
    case "none":
      return answerError(
        404,
        `No plugin with an admin part has the name ${JSON.stringify(name)}`,
      );
    case "failed":
      return answerError(
        500,
        `The plugin ${JSON.stringify(name)} failed: ${answer.reason}`,
      );
    case "response":
      return responseOf(answer);
  }
}

/** The URL as the plugin sees it: behind its name. */
function ownUrl(url: string): string {
  const { origin, pathname, search } = new URL(url);
  const rest = pathname.slice(pathname.indexOf("/", PREFIX.length));
  return origin + rest + search;
}

function responseOf({ status, headers, body }: PluginResponse): Response {
  return new Response(body.length === 0 ? null : body, {
    status,
    headers: headers.filter(isPassed),
  });
}

/** But what is of the connection, and what is said to the admin interface itself. */
function isPassed([name]: readonly [name: string, value: string]): boolean {
  return name !== "authorization" && !isFramingName(name);
}
