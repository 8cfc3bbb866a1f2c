/**
 * The opening handshake (RFC 6455 §4) on both sides of a session: what a client
 * must say, what a backend is asked and must answer, what the client is told.
 * Each hop has its own key, no extension is agreed on.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";
import { ProxyError } from "../errors.ts";
import { isFramingField, withHyphens } from "../message/field_rules.ts";
import type { Fields } from "../message/fields.ts";
import type { RequestHead, ResponseHead } from "../message/head.ts";
import { ListFields } from "../message/list_fields.ts";

/** What of a cluster's config a handshake goes by. */
export interface HandshakeRules {
  /** Allowed origins; undefined = all. */
  readonly origins: readonly string[] | undefined;
  /** Fields of the request that backends don't get. */
  readonly blockHeaders: readonly string[];
  /** Fields of a backend's 101 that clients get. */
  readonly passHeaders: readonly string[];
  /** The field that marks a re-dial. */
  readonly reconnectHeader: string;
}

/** Tells a backend how many messages it may get for the second time. */
export const REPLAYED_HEADER = "x-headrace-replayed";

/** RFC 6455 §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** 16 bytes in base64 (RFC 6455 §4.1). */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** Whether the request asks for a WebSocket. */
export function asksForWebSocket(head: RequestHead): boolean {
  return head.upgrade === "websocket";
}

/** The opening handshake of one session. */
export class Handshake {
  readonly #rules: HandshakeRules;
  readonly #key: string;
  readonly #offered: readonly string[];
  #subprotocol: string | undefined;

  /**
   * Of a client's request, before any backend hears of it. Throws a ProxyError:
   * `websocket_handshake` or `origin_refused`.
   */
  constructor(
    request: { readonly method: string; readonly headers: Fields },
    rules: HandshakeRules,
  ) {
    const { headers } = request;
    if (request.method !== "GET") refuse("its method is not GET");
    const version = headers.get("sec-websocket-version");
    if (version !== "13") refuse("its Sec-WebSocket-Version is not 13");
    const key = headers.get("sec-websocket-key");
    if (key === null || !KEY.test(key)) {
      refuse("its Sec-WebSocket-Key is not 16 bytes in base64");
    }
    this.#offered = tokens(headers, "sec-websocket-protocol");
    checkOrigin(headers, rules);
    this.#rules = rules;
    this.#key = key;
  }

  /** What backend and client agreed on. */
  get subprotocol(): string | undefined {
    return this.#subprotocol;
  }

  /** Makes a client's fields, or its handlers', those for a backend; the key goes to `checkResponse`. */
  askBackend(
    fields: Fields,
    again: { readonly replayed: number } | undefined,
  ): string {
    const { reconnectHeader } = this.#rules;
    hideFields(fields, this.#rules);
    fields.remove("sec-websocket-extensions");
    const key = randomBytes(16).toString("base64");
    fields.put("sec-websocket-key", key);
    if (again === undefined) return key;
    fields.put(reconnectHeader, "1");
    if (again.replayed > 0) {
      fields.put(REPLAYED_HEADER, String(again.replayed));
    }
    // The client can't be told of another choice any more.
    if (this.#subprotocol === undefined) {
      fields.remove("sec-websocket-protocol");
    } else {
      fields.put("sec-websocket-protocol", this.#subprotocol);
    }
    return key;
  }

  /** As `askBackend` for a dialer: the fields that are not its own connection's affair. */
  askDialer(
    fields: Fields,
    again: { readonly replayed: number } | undefined,
  ): Headers {
    this.askBackend(fields, again);
    const headers = new Headers();
    for (const [name, value] of fields) {
      if (isFramingField(name) || HOPS_OWN.has(name.toLowerCase())) continue;
      headers.append(name, value);
    }
    return headers;
  }

  /**
   * Whether a backend's 101 answers what it was asked. The first one settles the
   * subprotocol. Throws `bad_response`.
   */
  checkResponse(head: ResponseHead, key: string): void {
    this.settle(chosenBy(head, key));
  }

  /** As `checkResponse`, for a session that goes on: nothing may be another than before. */
  checkAgain(head: ResponseHead, key: string): void {
    this.settleAgain(chosenBy(head, key));
  }

  /** The first backend chose this of the client's offer. Throws `bad_response`. */
  settle(chosen: string | undefined): void {
    this.#checkOffered(chosen);
    this.#subprotocol = chosen;
  }

  /** As `settle`, for a backend of a session that goes on. */
  settleAgain(chosen: string | undefined): void {
    this.#checkOffered(chosen);
    if (chosen === this.#subprotocol) return;
    refuseBackend(
      `it chose ${chosen ?? "no subprotocol"}, the session has ${
        this.#subprotocol ?? "none"
      }`,
    );
  }

  #checkOffered(chosen: string | undefined): void {
    if (chosen === undefined || this.#offered.includes(chosen)) return;
    refuseBackend(
      `it chose the subprotocol ${
        JSON.stringify(chosen)
      }, which was not offered`,
    );
  }

  /** The fields of the client's 101. */
  answerClient(head: Pick<ResponseHead, "fields">): ListFields {
    const answer = new ListFields();
    for (const name of this.#rules.passHeaders) {
      for (const value of head.fields.getAll(name)) answer.add(name, value);
    }
    return this.#complete(answer);
  }

  /** As `answerClient` for a dialer's connection. Throws a `TypeError` for what can't be a field. */
  answerDialled(lines: Iterable<readonly [string, string]>): ListFields {
    const answer = new ListFields();
    for (const [name, value] of lines) {
      if (isFramingField(name)) continue;
      if (name.toLowerCase().startsWith("sec-websocket-")) continue;
      answer.append(name, value);
    }
    return this.#complete(answer);
  }

  #complete(answer: ListFields): ListFields {
    answer.put("upgrade", "websocket");
    answer.put("sec-websocket-accept", acceptOf(this.#key));
    if (this.#subprotocol !== undefined) {
      answer.put("sec-websocket-protocol", this.#subprotocol);
    }
    return answer;
  }
}

/**
 * Removes what backends must not get of a client: what the config blocks, and
 * what tells of a re-dial, in every spelling that a backend may take for it.
 */
export function hideFields(fields: Fields, rules: HandshakeRules): void {
  const hidden = [
    ...rules.blockHeaders,
    rules.reconnectHeader,
    REPLAYED_HEADER,
  ].map(spelledAlike);
  const said = Array.from(fields, ([name]) => name);
  for (const name of said) {
    if (hidden.includes(spelledAlike(name))) fields.remove(name);
  }
}

/** The same for all names that one variable stands for where fields become variables, as with CGI (RFC 3875 §4.1.18). */
function spelledAlike(name: string): string {
  return withHyphens(name.toLowerCase());
}

/** Fields that each hop makes of its own. */
const HOPS_OWN: ReadonlySet<string> = new Set([
  "host",
  "sec-websocket-key",
  "sec-websocket-version",
]);

/** What a key is answered with (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}

/** The subprotocol that a 101 chooses. Throws `bad_response` where it does not answer the key. */
function chosenBy({ fields }: ResponseHead, key: string): string | undefined {
  if (fields.get("sec-websocket-accept") !== acceptOf(key)) {
    refuseBackend("its Sec-WebSocket-Accept does not fit the key");
  }
  if (fields.has("sec-websocket-extensions")) {
    refuseBackend("it agrees on extensions that nobody offered");
  }
  return fields.get("sec-websocket-protocol") ?? undefined;
}

/** Throws `origin_refused` where a browser's page may not connect; other clients have no origin. */
export function checkOrigin(
  headers: Fields,
  { origins: allowed }: HandshakeRules,
): void {
  const origin = headers.get("origin");
  if (allowed === undefined || origin === null) return;
  const said = origin.toLowerCase();
  if (allowed.some((each) => each === "*" || each.toLowerCase() === said)) {
    return;
  }
  throw new ProxyError(
    "origin_refused",
    `The origin ${JSON.stringify(origin)} is not allowed`,
  );
}

function tokens(fields: Fields, name: string): string[] {
  return fields.getAll(name).flatMap((value) => value.split(","))
    .map((token) => token.trim()).filter((token) => token !== "");
}

function refuse(reason: string): never {
  throw new ProxyError(
    "websocket_handshake",
    `Not a WebSocket handshake: ${reason}`,
  );
}

function refuseBackend(reason: string): never {
  throw new ProxyError("bad_response", `The backend's handshake: ${reason}`);
}
