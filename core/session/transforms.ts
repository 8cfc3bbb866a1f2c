/**
 * Transforms of bodies that handlers have registered, and what they mean for the
 * message around the body (RFC 9110 §7.7; reference: Traffic Server's transform
 * hooks).
 *
 * @module
 */
import { asProxyError, type ProxyError } from "../errors.ts";
import type { BodyReader } from "../message/body.ts";
import type { OutgoingRequest } from "../message/head.ts";
import { BytesBody } from "../message/made_bodies.ts";
import {
  TransformedBody,
  type TransformStage,
} from "../message/transformed_body.ts";
import type { BodyTransform, TransformOptions } from "../plugin.ts";
import type { BoundHandler } from "./handlers.ts";
import type { Reply } from "./reply.ts";
import { Response } from "./response.ts";
import type { Transaction } from "./transaction.ts";

/** One registered transform. */
export interface Registered {
  readonly transform: BodyTransform;
  readonly length: number | undefined;
  /** The handler that registered it. */
  readonly owner: BoundHandler | undefined;
}

/** Fields that tell of the very bytes of a body: another body makes them lies (RFC 9530 §2 and §3). */
const DIGESTS = ["content-md5", "digest", "content-digest", "repr-digest"];

/** As {@linkcode DIGESTS}, and what belongs to a response's. */
const OF_BYTES = [...DIGESTS, "accept-ranges", "want-digest"];

const DEFAULT_TIMEOUT = 5_000;

/** Checks and keeps what `transformRequest` or `transformResponse` was given. Throws a `TypeError` or `RangeError`. */
export function registered(
  transform: BodyTransform,
  options: TransformOptions | undefined,
  owner: BoundHandler | undefined,
): Registered {
  const length = options?.length;
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 0)) {
    throw new RangeError(
      `A transform's length must be a whole number from 0: current value is ${length}`,
    );
  }
  if (typeof transform !== "function" && !isTransform(transform)) {
    throw new TypeError(
      "A transform must be a TransformStream, or a function that makes one",
    );
  }
  return { transform, length, owner };
}

/** The body behind its transforms, and its length: -1 where nobody knows it. */
export interface Transformed {
  readonly body: TransformedBody;
  readonly length: number;
}

/** Puts a body through transforms, the first registered first. Throws what a maker of a stream throws. */
export function transformBody(
  transaction: Transaction,
  body: BodyReader,
  chain: readonly Registered[],
): Transformed {
  const { length } = chain.at(-1)!;
  return {
    length: length ?? -1,
    body: new TransformedBody(body, {
      stages: chain.map((each) => stageOf(transaction, each)),
      length,
      deadlines: transaction.session.env.deadlines,
    }),
  };
}

/** A request whose body was transformed: of its length, and without what told of other bytes. */
export function transformedRequest(
  request: OutgoingRequest,
  bodyLength: number,
): OutgoingRequest {
  // The attempt's own fields stay as its handlers have made them.
  const fields = request.fields.copy();
  for (const name of DIGESTS) fields.remove(name);
  return { ...request, fields, bodyLength };
}

/** The reply with its body behind the transforms of responses, where it is one that may be transformed. */
export function transformReply(
  transaction: Transaction,
  reply: Reply,
): Reply {
  const chain = transaction.responseTransforms;
  const { response, body } = reply;
  if (chain === undefined || !mayTransform(transaction, response)) {
    return reply;
  }
  const { length } = chain.at(-1)!;
  const fields = response.fields;
  for (const name of OF_BYTES) fields.remove(name);
  const etag = fields.first("etag");
  if (etag !== undefined && !etag.startsWith("W/")) {
    fields.put("etag", `W/${etag}`);
  }
  const bodyLength = response.hasBody ? length ?? -1 : length;
  const next = new Response({
    status: response.status,
    reason: response.reason,
    fields,
    from: response.from,
    bodyLength,
    method: transaction.head?.method,
  });
  if (!next.hasBody) return { ...reply, response: next };
  const source = body ?? new BytesBody(new Uint8Array(0));
  return {
    ...reply,
    response: next,
    body: transformBody(transaction, source, chain).body,
  };
}

/** A part of a body is not the body, and who says no-transform means it (RFC 9110 §7.7). */
function mayTransform(
  { request }: Transaction,
  { status, fields }: Response,
): boolean {
  if (status < 200 || status === 204 || status === 206) return false;
  return !forbids(fields.get("cache-control")) &&
    !forbids(request?.headers.get("cache-control") ?? null);
}

function forbids(cacheControl: string | null): boolean {
  return cacheControl !== null &&
    /(?:^|,)\s*no-transform\s*(?:,|$)/i.test(cacheControl);
}

function stageOf(
  transaction: Transaction,
  { transform, owner }: Registered,
): TransformStage {
  const failed = (error: ProxyError) => {
    if (owner === undefined) return;
    owner.errors.add();
    transaction.handlerFailed(owner, error);
  };
  try {
    const stream = typeof transform === "function" ? transform() : transform;
    checkUsable(stream);
    return { stream, timeout: owner?.timeout ?? DEFAULT_TIMEOUT, failed };
  } catch (thrown) {
    const error = asProxyError(thrown, "handler_error");
    failed(error);
    throw error;
  }
}

/** Throws a `TypeError` where nothing can be put through it. */
function checkUsable(stream: TransformStream<Uint8Array, Uint8Array>): void {
  if (!isTransform(stream)) {
    throw new TypeError("What made a transform gave none");
  }
  if (stream.readable.locked || stream.writable.locked) {
    throw new TypeError(
      "A transform is in use already: register what makes one",
    );
  }
}

function isTransform(value: unknown): boolean {
  return typeof value === "object" && value !== null && "readable" in value &&
    value.readable instanceof ReadableStream && "writable" in value &&
    value.writable instanceof WritableStream;
}
