/**
 * What a request to the admin interface may be, whatever route it is for.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { answerError } from "./answer.ts";

/** Methods that no `Request` can be made with (Fetch §2.2.1): plugins could not get them. */
const FORBIDDEN = ["CONNECT", "TRACE", "TRACK"];

/** Refuses methods that mean nothing here. */
export function limitMethods(): MiddlewareHandler {
  return async ({ req: { method } }, next) =>
    FORBIDDEN.includes(method)
      ? answerError(501, `Cannot take ${method} on any path`)
      : await next();
}

/** Refuses bodies of more than so many bytes: they lie in memory as a whole. */
export function limitBody(most: number): MiddlewareHandler {
  return async (context, next) => {
    const { url, method, headers, body } = context.req.raw;
    if (body === null) return await next();
    const length = headers.get("content-length");
    // Deno takes no body of another length; a coding goes before it (RFC 9112 §6.3).
    if (length !== null && !headers.has("transfer-encoding")) {
      return Number(length) > most ? tooLong(most) : await next();
    }
    const bytes = await readAtMost(most, body);
    if (bytes === undefined) return tooLong(most);
    // Made of its parts: of the request as a whole, as Hono's own limit has it,
    // takes its signal along, of which Deno warns on standard error.
    context.req.raw = new Request(url, { method, headers, body: bytes });
    return await next();
  };
}

/** All of it; undefined where there is more. */
async function readAtMost(
  most: number,
  body: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > most) return undefined;
    pieces.push(new Uint8Array(piece));
  }
  return await new Blob(pieces).bytes();
}

function tooLong(most: number): Response {
  return answerError(413, `Cannot take a body of more than ${most} bytes`);
}
