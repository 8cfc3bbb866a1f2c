/**
 * The request as plugins and conditions see it, over a head that a codec brought.
 *
 * @module
 */
import { BodyWanted } from "../errors.ts";
import type { Fields } from "../message/fields.ts";
import type { RequestHead } from "../message/head.ts";
import { checkFieldName } from "../message/field_rules.ts";
import type { HttpRequest, Session, Transaction } from "../plugin.ts";
import type { BufferedBody } from "../message/buffered_body.ts";
import type { HostParts } from "../net/host_name.ts";

/** What a request asks of the transaction that it belongs to. */
export interface RequestContext {
  readonly view: Transaction;
  readonly signal: AbortSignal;
  readonly scheme: "http" | "https";
  readonly clientAddress: string;
  readonly trusted: boolean;
  /** Whether a handler has let it in by something else than Authorization. */
  authorized: boolean;
  /** The whole body, where it is buffered. */
  readonly buffered: BufferedBody | undefined;
  readonly product: { readonly name: string } | undefined;
  cluster: string | undefined;
  /** A Host field in parts: the same for most requests of a connection. */
  splitHost(field: string): HostParts;
}

/** A request; each attempt has its own copy. */
export class Request implements HttpRequest {
  readonly #context: RequestContext;
  readonly #head: RequestHead;
  readonly #fields: Fields;
  #method: string | undefined;
  #target: string | undefined;
  #tags: Map<string, readonly string[]> | undefined;

  constructor(context: RequestContext, head: RequestHead, fields: Fields) {
    this.#context = context;
    this.#head = head;
    this.#fields = fields;
  }

  /** A copy whose changes do not show here. */
  copy(): Request {
    const copy = new Request(this.#context, this.#head, this.#fields.copy());
    copy.#method = this.#method;
    copy.#target = this.#target;
    copy.#tags = this.tags;
    return copy;
  }

  get transaction(): Transaction {
    return this.#context.view;
  }

  get session(): Session {
    return this.#context.view.session;
  }

  get id(): string {
    return this.#context.view.id;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get method(): string {
    return this.#method ?? this.#head.method;
  }

  set method(method: string) {
    checkFieldName(method);
    this.#method = method;
  }

  get version(): "1.0" | "1.1" | "2" {
    return this.#head.version;
  }

  get scheme(): "http" | "https" {
    return this.#context.scheme;
  }

  get host(): string {
    return this.#hostParts.name;
  }

  get port(): number | undefined {
    return this.#hostParts.port;
  }

  get target(): string {
    return this.#target ?? this.#head.target;
  }

  set target(target: string) {
    if (!/^(?:\*|\/[\x21\x22\x24-\x7e]*)$/.test(target)) {
      throw new TypeError(
        `Cannot set the target as it must start with "/" and hold visible ASCII without "#": current value is ${
          JSON.stringify(target)
        }`,
      );
    }
    this.#target = target;
  }

  get path(): string {
    const { target } = this;
    const mark = target.indexOf("?");
    return mark < 0 ? target : target.slice(0, mark);
  }

  set path(path: string) {
    if (path.includes("?")) {
      throw new TypeError(
        `Cannot set the path as it must not hold "?": current value is ${
          JSON.stringify(path)
        }`,
      );
    }
    const { query } = this;
    this.target = query === "" ? path : `${path}?${query}`;
  }

  get query(): string {
    const { target } = this;
    const mark = target.indexOf("?");
    return mark < 0 ? "" : target.slice(mark + 1);
  }

  set query(query: string) {
    this.target = query === "" ? this.path : `${this.path}?${query}`;
  }

  get headers(): Fields {
    return this.#fields;
  }

  cookie(name: string): string | undefined {
    for (const field of this.#fields.getAll("cookie")) {
      for (const pair of field.split(";")) {
        const equals = pair.indexOf("=");
        if (equals > 0 && pair.slice(0, equals).trim() === name) {
          return unquote(pair.slice(equals + 1).trim());
        }
      }
    }
    return undefined;
  }

  parameter(name: string): string | undefined {
    const { query } = this;
    if (query === "") return undefined;
    return new URLSearchParams(query).get(name) ?? undefined;
  }

  get clientAddress(): string {
    return this.#context.clientAddress;
  }

  get trusted(): boolean {
    return this.#context.trusted;
  }

  get authorized(): boolean {
    return this.#context.authorized || this.#head.authorized ||
      this.#fields.has("authorization");
  }

  set authorized(authorized: boolean) {
    checkAuthorized(authorized);
    this.#context.authorized = true;
  }

  get product(): string | undefined {
    return this.#context.product?.name;
  }

  get cluster(): string | undefined {
    return this.#context.cluster;
  }

  set cluster(name: string | undefined) {
    this.#context.cluster = name;
  }

  get tags(): Map<string, readonly string[]> {
    return this.#tags ??= new Map();
  }

  get body(): HttpRequest["body"] {
    const { bodyLength } = this.#head;
    const context = this.#context;
    return {
      present: bodyLength !== 0,
      length: context.buffered?.length ??
        (bodyLength < 0 ? undefined : bodyLength),
      read: () => {
        if (context.buffered === undefined) throw new BodyWanted(NOT_BUFFERED);
        return context.buffered.read();
      },
      json: () => {
        if (bodyLength === 0 || !saysJson(this.#fields)) return undefined;
        if (context.buffered === undefined) throw new BodyWanted(NOT_BUFFERED);
        return context.buffered.json();
      },
    };
  }

  get #hostParts(): HostParts {
    return this.#context.splitHost(this.#fields.first("host") ?? "");
  }
}

/** Throws a `TypeError` for anything but true. */
export function checkAuthorized(authorized: boolean): void {
  if (authorized === true) return;
  throw new TypeError(
    "Cannot set authorized to anything but true: others could get what is this client's own",
  );
}

const NOT_BUFFERED =
  "Cannot read the request's body: it is buffered from requestBuffered on, where its cluster has requestBuffer";

/** Whether the body is JSON as it stands, by what the head says. */
function saysJson(fields: Fields): boolean {
  const coding = fields.get("content-encoding");
  if (coding !== null && coding.toLowerCase() !== "identity") return false;
  const type = fields.get("content-type") ?? "";
  return /^[^/;,]+\/(?:[^;,]+\+)?json[ \t]*(?:;|$)/i.test(type);
}

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}
