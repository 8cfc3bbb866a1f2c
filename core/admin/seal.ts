/**
 * What every admin answer has in common, errors too.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";

/** A route that needs another value sets its own. */
const HEADERS: readonly (readonly [string, string])[] = [
  ["cache-control", "no-store"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
];

/** Puts the headers on that keep browsers from storing, framing and guessing. */
export function seal(answer: Response): Response {
  for (const [name, value] of HEADERS) {
    if (!answer.headers.has(name)) answer.headers.set(name, value);
  }
  return answer;
}

/** Seals whatever the app answers. */
export function sealAnswers(): MiddlewareHandler {
  return async (context, next) => {
    await next();
    const { headers } = seal(context.res);
    // Hono answers HEAD with GET's headers and no body, for which Deno would write
    // Content-Length: 0, against RFC 9110 §8.6.
    if (context.req.raw.method === "HEAD") {
      const { byteLength } = await context.res.clone().arrayBuffer();
      headers.set("content-length", String(byteLength));
    }
  };
}
