/**
 * What compiles as a plugin and what must not: checked by `deno check`, a
 * `@ts-expect-error` without an error is one itself.
 *
 * @module
 */
import {
  CALLBACK_POINTS,
  type PointName,
  type PointRow,
} from "../../core/callback_points.ts";
import type {
  AcceptHandler,
  AlternateHandler,
  AttemptResponseHandler,
  FinishHandler,
  ForwardHandler,
  HandlerAt,
  Handlers,
  HttpRequest,
  HttpResponse,
  LookupHandler,
  Plugin,
  RequestHandler,
  ResponseHandler,
  Transaction,
  TransactionHandler,
  VerdictAt,
} from "../../core/plugin.ts";
import { verdicts } from "../../core/verdict.ts";
import { assertEquals } from "../support/assert.ts";

const { close, finish, goOn, redirect, respond, retry } = verdicts;
const OK = { status: 200 };

/** Whether two types are the same. */
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false;

/** Compiles for `true` only. */
function holds<T extends true>(..._proof: T[]): void {}

Deno.test("the right handler of each of the nine types compiles", () => {
  const handlers: Handlers = {
    accept: (session) =>
      session.remote.address === "192.0.2.1" ? close : undefined,
    transactionStart: (transaction) =>
      transaction.number > 100 ? close : undefined,
    foundProduct: (request) =>
      request.headers.has("x-blocked")
        ? respond({ status: 403, body: "no\n" })
        : undefined,
    selectAlternate: (_request, alternate) =>
      alternate.response.status === 200 ? 1 : 0,
    cacheLookupComplete: (_request, lookup) =>
      lookup.result === "miss" ? finish(OK) : goOn,
    forward: (_request, attempt) => {
      attempt.backend = "b";
      return undefined;
    },
    readResponseHeader: (_request, response, attempt) =>
      response.status === 503 && attempt.number === 1 ? retry : undefined,
    readResponse: (_request, response) => {
      response.headers.set("x-served-by", "test");
    },
    finish: (session) => {
      session.data.clear();
    },
  };
  assertEquals(Object.keys(handlers).length, 9);
});

Deno.test("each handler may be async where its point waits for it", () => {
  const handlers: Handlers = {
    accept: async () => await Promise.resolve(close),
    transactionClose: async () => await Promise.resolve(undefined),
    readRequestHeader: async () => await Promise.resolve(redirect("/")),
    readCacheHeader: async () => await Promise.resolve(goOn),
    resolve: async () => await Promise.resolve(respond(OK)),
    readResponseHeader: async () => await Promise.resolve(retry),
    requestFinish: async () => await Promise.resolve(finish()),
    finish: async () => await Promise.resolve(undefined),
    // @ts-expect-error nothing waits for an alternate's quality
    selectAlternate: async () => await Promise.resolve(1),
  };
  assertEquals(Object.keys(handlers).length, 9);
});

Deno.test("a forgotten return compiles: it goes on", () => {
  const handlers: Handlers = {
    accept: () => {},
    transactionStart: () => {},
    foundProduct: () => {},
    cacheLookupComplete: () => {},
    forward: () => {},
    readResponseHeader: () => {},
    readResponse: () => {},
    finish: () => {},
    selectAlternate: () => {},
    afterLocation: async () => {},
  };
  assertEquals(Object.keys(handlers).length, 10);
});

Deno.test("points that are none, and what is no function, do not compile", () => {
  const handlers: Handlers[] = [
    // @ts-expect-error no such callback point
    { foundProdukt: () => undefined },
    // @ts-expect-error a verdict is no handler
    { afterLocation: goOn },
    // @ts-expect-error neither is text
    { beforeLocation: "respond" },
  ];
  assertEquals(handlers.length, 3);
});

Deno.test("wrong parameters do not compile, one for each handler type", () => {
  type Two = (request: HttpRequest, response: HttpResponse) => undefined;
  type One = (transaction: Transaction) => undefined;
  const one: One = () => undefined;
  const two: Two = () => undefined;
  const handlers: Handlers = {
    // @ts-expect-error accept gets a session
    accept: one,
    // @ts-expect-error transactionStart gets only a transaction
    transactionStart: two,
    // @ts-expect-error foundProduct gets a request
    foundProduct: one,
    // @ts-expect-error selectAlternate gets an alternate, not a response
    selectAlternate: two,
    // @ts-expect-error readCacheHeader gets a lookup, not a response
    readCacheHeader: two,
    // @ts-expect-error forward gets an attempt, not a response
    forward: two,
    // @ts-expect-error readResponseHeader gets a request first
    readResponseHeader: one,
    // @ts-expect-error readResponse's request may be undefined
    readResponse: two,
    // @ts-expect-error finish gets a session
    finish: one,
  };
  assertEquals(Object.keys(handlers).length, 9);
});

Deno.test("more parameters than a point gives do not compile", () => {
  const handlers: Handlers = {
    // @ts-expect-error there is no response yet
    foundProduct: (_request, _response) => undefined,
    // @ts-expect-error there is no `next`
    accept: (_session, _next) => undefined,
    // @ts-expect-error the attempt is readResponseHeader's
    readResponse: (_request, _response, _attempt) => undefined,
  };
  assertEquals(Object.keys(handlers).length, 3);
});

Deno.test("at requestFinish there may be no request and no response", () => {
  const handlers: Handlers = {
    // @ts-expect-error the response may be undefined
    requestFinish: (_request, response) => void response.status,
    // @ts-expect-error the request may be undefined
    sendResponseHeader: (request) => void request.path,
    // There always is a response.
    readResponse: (_request, response) => void response.status,
  };
  assertEquals(Object.keys(handlers).length, 3);
});

Deno.test("illegal verdicts do not compile: accept and handshake", () => {
  const handlers: Handlers[] = [
    { accept: () => close, handshake: () => close },
    // @ts-expect-error nobody can be answered yet
    { accept: () => respond(OK) },
    // @ts-expect-error nor redirected
    { handshake: () => redirect("/") },
    // @ts-expect-error nor finished
    { accept: () => finish() },
    // @ts-expect-error no attempt to make again
    { handshake: () => retry },
  ];
  assertEquals(handlers.length, 5);
});

Deno.test("illegal verdicts do not compile: transactionStart and transactionClose", () => {
  const handlers: Handlers[] = [
    { transactionStart: () => close },
    // @ts-expect-error there is no request to answer
    { transactionStart: () => respond(OK) },
    // @ts-expect-error all is over
    { transactionClose: () => close },
    // @ts-expect-error all is over, later too
    { transactionClose: () => Promise.resolve(close) },
  ];
  assertEquals(handlers.length, 4);
});

Deno.test("illegal verdicts do not compile: points of the request", () => {
  const handlers: Handlers[] = [
    { readRequestHeader: () => respond(new Response("x")) },
    { beforeLocation: () => redirect("/", 308) },
    { foundProduct: () => finish(OK) },
    { afterLocation: () => close, requestBuffered: () => close },
    // @ts-expect-error there is no response to finish with
    { readRequestHeader: () => finish() },
    // @ts-expect-error no attempt was made
    { foundProduct: () => retry },
    // @ts-expect-error no attempt was made, later neither
    { foundProduct: () => Promise.resolve(retry) },
    // @ts-expect-error a boolean is no verdict
    { beforeLocation: () => false },
    // @ts-expect-error null is no verdict
    { afterLocation: () => null },
    // @ts-expect-error a Response is none: it goes into respond
    { foundProduct: () => new Response("x") },
    // @ts-expect-error a response has a status
    { foundProduct: () => respond({ body: "x" }) },
  ];
  assertEquals(handlers.length, 11);
});

Deno.test("illegal verdicts do not compile: points of the cache", () => {
  const handlers: Handlers[] = [
    { selectAlternate: () => 0.5, readCacheHeader: () => goOn },
    { cacheLookupComplete: () => respond(OK) },
    // @ts-expect-error a quality is a number
    { selectAlternate: () => close },
    // @ts-expect-error only cacheLookupComplete answers
    { readCacheHeader: () => respond(OK) },
    // @ts-expect-error a redirect would be no alternate
    { cacheLookupComplete: () => redirect("/") },
    // @ts-expect-error there is no response to finish with
    { cacheLookupComplete: () => finish() },
  ];
  assertEquals(handlers.length, 6);
});

Deno.test("illegal verdicts do not compile: points of an attempt", () => {
  const handlers: Handlers[] = [
    { forward: () => respond(OK), resolve: () => finish(OK) },
    { sendRequestHeader: () => close },
    { readResponseHeader: () => retry },
    // @ts-expect-error redirects are the request's
    { forward: () => redirect("/") },
    // @ts-expect-error there is no response to drop
    { resolve: () => retry },
    // @ts-expect-error there is no response to finish with
    { sendRequestHeader: () => finish() },
    // @ts-expect-error the response is not the client's yet
    { readResponseHeader: () => finish() },
    // @ts-expect-error redirects are the request's
    { readResponseHeader: () => redirect("/") },
  ];
  assertEquals(handlers.length, 8);
});

Deno.test("illegal verdicts do not compile: points of the response", () => {
  const handlers: Handlers[] = [
    { readResponse: () => finish() },
    { readResponse: () => finish(OK) },
    { readResponse: () => redirect("/") },
    { sendResponseHeader: () => close },
    { requestFinish: () => finish() },
    // @ts-expect-error attempts are over
    { readResponse: () => retry },
    // @ts-expect-error the head is due
    { sendResponseHeader: () => respond(OK) },
    // @ts-expect-error the head is due
    { sendResponseHeader: () => finish() },
    // @ts-expect-error the response is out
    { requestFinish: () => finish(OK) },
    // @ts-expect-error the response is out
    { requestFinish: () => respond(OK) },
    // @ts-expect-error finish is what ends the connection then
    { requestFinish: () => close },
  ];
  assertEquals(handlers.length, 11);
});

Deno.test("illegal verdicts do not compile: finish", () => {
  const handlers: Handlers[] = [
    { finish: () => goOn },
    // @ts-expect-error the connection is closed
    { finish: () => close },
    // @ts-expect-error the connection is closed
    { finish: () => finish() },
  ];
  assertEquals(handlers.length, 3);
});

Deno.test("session.on and transaction.on check handlers as the table does", () => {
  const register = (request: HttpRequest) => {
    request.session.on("finish", (session) => void session.id);
    request.transaction.on("readResponse", () => finish());
    // @ts-expect-error no such callback point
    request.session.on("foundProdukt", () => undefined);
    // @ts-expect-error the connection is closed
    request.session.on("finish", () => close);
    // @ts-expect-error attempts are over
    request.transaction.on("readResponse", () => retry);
    // @ts-expect-error there is no response yet
    request.transaction.on("forward", (_request, _attempt, _no) => {});
  };
  assertEquals(typeof register, "function");
});

Deno.test("views can't be changed where handlers must not", () => {
  const change = (request: HttpRequest, response: HttpResponse) => {
    request.method = "GET";
    request.path = "/";
    response.status = 404;
    // @ts-expect-error the client's address is a fact
    request.clientAddress = "192.0.2.1";
    // @ts-expect-error the host is a header
    request.host = "example.com";
    // @ts-expect-error the product is found by the host
    request.product = "shop";
    // @ts-expect-error headers are changed, not replaced
    response.headers = request.headers;
    // @ts-expect-error what frames the message is Headrace's own
    response.length = 1;
  };
  assertEquals(typeof change, "function");
});

Deno.test("satisfies Plugin<Options> types options, and refuses parts that are none", () => {
  const plugin = {
    name: "hello",
    setup({ options, verdict }) {
      holds<Same<typeof options, { name: string }>>(true);
      return {
        handlers: {
          readResponse: (_request, response) => {
            response.headers.set("x-served-by", options.name);
          },
          foundProduct: () => verdict.redirect("/"),
        },
      };
    },
  } satisfies Plugin<{ name: string }>;
  const wrong = [
    // @ts-expect-error a plugin has a name
    { setup: () => ({}) } satisfies Plugin,
    // @ts-expect-error a plugin has a setup
    { name: "x" } satisfies Plugin,
    // @ts-expect-error setup returns parts
    { name: "x", setup: () => 1 } satisfies Plugin,
    // @ts-expect-error handlers are a part, not their points
    { name: "x", setup: () => ({ accept: () => {} }) } satisfies Plugin,
  ];
  assertEquals([plugin.name, wrong.length], ["hello", 4]);
});

Deno.test("HandlerAt gives each point its handler type with the verdicts of its row", () => {
  holds<Same<HandlerAt<"accept">, AcceptHandler<VerdictAt<"accept">>>>(true);
  holds<Same<HandlerAt<"finish">, FinishHandler>>(true);
  holds<Same<HandlerAt<"selectAlternate">, AlternateHandler>>(true);
  type Close = TransactionHandler<VerdictAt<"transactionClose">>;
  holds<Same<HandlerAt<"transactionClose">, Close>>(true);
  type Found = RequestHandler<VerdictAt<"foundProduct">>;
  holds<Same<HandlerAt<"foundProduct">, Found>>(true);
  type Lookup = LookupHandler<VerdictAt<"cacheLookupComplete">>;
  holds<Same<HandlerAt<"cacheLookupComplete">, Lookup>>(true);
  type Forward = ForwardHandler<VerdictAt<"forward">>;
  holds<Same<HandlerAt<"forward">, Forward>>(true);
  type Read = AttemptResponseHandler<VerdictAt<"readResponseHeader">>;
  holds<Same<HandlerAt<"readResponseHeader">, Read>>(true);
  type Send = ResponseHandler<VerdictAt<"sendResponseHeader">>;
  holds<Same<HandlerAt<"sendResponseHeader">, Send>>(true);
});

Deno.test("VerdictAt has exactly the kinds of the table's row, and goOn", () => {
  type Kinds<P extends PointName> = PointRow<P>["verdicts"][number] | "goOn";
  type Fits<P extends PointName> = P extends PointName
    ? Same<VerdictAt<P>["kind"], Kinds<P>>
    : never;
  holds<Same<Fits<PointName>, true>>(true);
  assertEquals(CALLBACK_POINTS.length, 20);
});

Deno.test("a handler may say that a request is authorized", () => {
  const handlers: Handlers = {
    foundProduct: (request) => {
      const { authorized } = request;
      holds<Same<typeof authorized, boolean>>();
      request.authorized = true;
    },
  };
  assertEquals(Object.keys(handlers).length, 1);
});
