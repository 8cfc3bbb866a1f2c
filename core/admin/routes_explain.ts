/**
 * Why a request goes where it goes.
 *
 * @module
 */
import type { Context } from "hono";
import { RefusedError } from "../data_plane/control.ts";
import type { DescribedRequest } from "../explain/described_request.ts";
import { answerError, answerJson } from "./answer.ts";
import type { AdminRoute } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** The routes that explain. */
export function explainRoutes(source: AdminSource): AdminRoute[] {
  return [
    {
      method: "GET",
      path: "/api/explain",
      does:
        "which way a request would take now, and why: ?url=, and if need be method=, header=name: value (several), body=, client=, listener=",
      handle: (context) =>
        explained(source, () => Promise.resolve(fromQuery(context))),
    },
    {
      method: "POST",
      path: "/api/explain",
      does:
        "the same for a JSON object: url, method, headers by name, body, client, listener",
      handle: (context) =>
        explained(source, async () => fromJson(await context.req.json())),
    },
    {
      method: "GET",
      path: "/api/transactions/:id",
      does:
        "what happened to one of the last 100 requests that came with X-Headrace-Explain: 1 and X-Headrace-Token",
      handle: (context) => tellTrace(source, context.req.param("id")!),
    },
  ];
}

async function tellTrace(source: AdminSource, id: string): Promise<Response> {
  const trace = await source.trace(id);
  return trace === undefined
    ? answerError(
      404,
      `No transaction of this id was traced lately: ${JSON.stringify(id)}`,
    )
    : answerJson(trace);
}

async function explained(
  source: AdminSource,
  read: () => Promise<DescribedRequest>,
): Promise<Response> {
  try {
    return answerJson(await source.explain(await read()));
  } catch (thrown) {
    if (thrown instanceof SyntaxError) {
      return answerError(
        400,
        `Cannot read the body as JSON: ${thrown.message}`,
      );
    }
    if (thrown instanceof RangeError || thrown instanceof RefusedError) {
      return answerError(400, thrown.message);
    }
    throw thrown;
  }
}

function fromQuery({ req }: Context): DescribedRequest {
  const described = {
    url: req.query("url"),
    method: req.query("method"),
    body: req.query("body"),
    client: req.query("client"),
    listener: req.query("listener"),
  };
  checkKeys(Object.keys(req.query()), QUERY_KEYS);
  const headers = (req.queries("header") ?? []).map(
    (line): readonly [string, string] => {
      const colon = line.indexOf(":");
      if (colon >= 0) {
        return [line.slice(0, colon), line.slice(colon + 1).trim()];
      }
      return refuse(
        `header must be "name: value": current value is ${
          JSON.stringify(line)
        }`,
      );
    },
  );
  return { ...described, url: needed(described.url), headers };
}

const QUERY_KEYS = ["url", "method", "header", "body", "client", "listener"];
const JSON_KEYS = ["url", "method", "headers", "body", "client", "listener"];

function fromJson(body: unknown): DescribedRequest {
  if (!isObject(body)) refuse("the body must be an object");
  checkKeys(Object.keys(body), JSON_KEYS);
  const text = (key: string) => {
    const value = body[key] ?? undefined;
    if (value === undefined || typeof value === "string") return value;
    return refuse(`${key} must be text: it is ${JSON.stringify(value)}`);
  };
  const { headers = {} } = body;
  if (!isObject(headers)) refuse("headers must be an object of texts by name");
  return {
    url: needed(text("url")),
    method: text("method"),
    body: text("body"),
    client: text("client"),
    listener: text("listener"),
    headers: Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((one): readonly [string, string] =>
        typeof one === "string"
          ? [name, one]
          : refuse(`headers must be texts: ${name} is ${JSON.stringify(one)}`)
      )
    ),
  };
}

function needed(url: string | undefined): string {
  return url ?? refuse("url must be given");
}

function checkKeys(keys: readonly string[], known: readonly string[]): void {
  const wrong = keys.find((key) => !known.includes(key));
  if (wrong === undefined) return;
  refuse(
    `only ${known.join(", ")} can be given: current key is ${
      JSON.stringify(wrong)
    }`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(reason: string): never {
  throw new RangeError(`Cannot explain this as ${reason}`);
}
