import { ProxyError } from "../../../core/errors.ts";
import type { ResponseHead } from "../../../core/message/head.ts";
import { ListFields } from "../../../core/message/list_fields.ts";
import {
  acceptOf,
  Handshake,
  type HandshakeRules,
} from "../../../core/websocket/handshake.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

const RULES: HandshakeRules = {
  origins: undefined,
  blockHeaders: [],
  passHeaders: ["Set-Cookie"],
  reconnectHeader: "X-Balancer-Reconnect",
};

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function request(fields: Record<string, string> = {}, method = "GET") {
  const headers = new ListFields();
  const all = {
    "host": "a",
    "sec-websocket-version": "13",
    "sec-websocket-key": KEY,
    ...fields,
  };
  for (const [name, value] of Object.entries(all)) {
    if (value !== "") headers.put(name, value);
  }
  return { method, headers };
}

function answer(fields: Record<string, string>): ResponseHead {
  return {
    status: 101,
    reason: "",
    fields: new ListFields(Object.entries(fields)),
    bodyLength: 0,
  };
}

Deno.test("acceptOf: the sample of RFC 6455 §1.3", () => {
  assertEquals(acceptOf(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("Handshake: what a client must not leave out or spell otherwise", () => {
  const cases: [string, Record<string, string>, string?][] = [
    ["method", {}, "POST"],
    ["Sec-WebSocket-Version", { "sec-websocket-version": "" }],
    ["Sec-WebSocket-Version", { "sec-websocket-version": "8" }],
    ["Sec-WebSocket-Version", { "sec-websocket-version": "13, 8" }],
    ["Sec-WebSocket-Key", { "sec-websocket-key": "" }],
    ["Sec-WebSocket-Key", { "sec-websocket-key": "dGhlIHNhbXBsZQ==" }],
    ["Sec-WebSocket-Key", { "sec-websocket-key": `${KEY}, ${KEY}` }],
  ];
  for (const [what, fields, method] of cases) {
    const error = assertThrows(
      () => new Handshake(request(fields, method), RULES),
      ProxyError,
      what,
    );
    assertEquals([error.code, error.status], ["websocket_handshake", 400]);
  }
});

Deno.test("Handshake: an origin that is not in the list is refused, and a client without one is not", () => {
  const rules = { ...RULES, origins: ["https://Shop.example.com"] };
  new Handshake(request({ origin: "https://shop.example.com" }), rules);
  new Handshake(request(), rules);
  new Handshake(request({ origin: "https://evil" }), RULES);
  for (const origin of ["https://evil", "http://shop.example.com", "null"]) {
    const error = assertThrows(
      () => new Handshake(request({ origin }), rules),
      ProxyError,
    );
    assertEquals([error.code, error.status], ["origin_refused", 403]);
  }
});

Deno.test("Handshake.askBackend: a key of its own, no extensions, nothing that a client can forge", () => {
  const rules = { ...RULES, blockHeaders: ["X-Secret"] };
  const { method, headers } = request({
    "sec-websocket-extensions": "permessage-deflate",
    "x-secret": "1",
    "x-balancer-reconnect": "1",
    "x-headrace-replayed": "9",
    // To a backend that has variables in place of fields these are the same.
    "x_secret": "2",
    "x.balancer_reconnect": "2",
    "x-headrace_replayed": "2",
    "sec-websocket-protocol": "s1, s2",
  });
  const key = new Handshake({ method, headers }, rules)
    .askBackend(headers, undefined);
  assert(key !== KEY && headers.get("sec-websocket-key") === key);
  assertEquals(
    [
      "sec-websocket-extensions",
      "x-secret",
      "x-balancer-reconnect",
      "x-headrace-replayed",
      "x_secret",
      "x.balancer_reconnect",
      "x-headrace_replayed",
    ].filter((name) => headers.has(name)),
    [],
  );
  assertEquals(headers.get("sec-websocket-protocol"), "s1, s2");
});

Deno.test("Handshake.checkResponse: another key's accept, extensions and protocols that were not offered are refused", () => {
  const { method, headers } = request({ "sec-websocket-protocol": "s1, s2" });
  const handshake = new Handshake({ method, headers }, RULES);
  const key = handshake.askBackend(headers, undefined);
  const accept = acceptOf(key);
  const cases: [string, Record<string, string>][] = [
    ["Accept", {}],
    ["Accept", { "sec-websocket-accept": acceptOf(KEY) }],
    ["extensions", {
      "sec-websocket-accept": accept,
      "sec-websocket-extensions": "permessage-deflate",
    }],
    ["s3", { "sec-websocket-accept": accept, "sec-websocket-protocol": "s3" }],
  ];
  for (const [what, fields] of cases) {
    const error = assertThrows(
      () => handshake.checkResponse(answer(fields), key),
      ProxyError,
      what,
    );
    assertEquals(error.code, "bad_response");
  }
});

Deno.test("Handshake: a re-dial asks for what was agreed on and takes nothing else", () => {
  const { method, headers } = request({ "sec-websocket-protocol": "s1, s2" });
  const handshake = new Handshake({ method, headers }, RULES);
  const first = handshake.askBackend(headers, undefined);
  handshake.checkResponse(
    answer({
      "sec-websocket-accept": acceptOf(first),
      "sec-websocket-protocol": "s2",
    }),
    first,
  );
  const again = request({ "sec-websocket-protocol": "s1, s2" }).headers;
  const key = handshake.askBackend(again, { replayed: 3 });
  assertEquals(
    ["sec-websocket-protocol", "x-balancer-reconnect", "x-headrace-replayed"]
      .map((name) => again.get(name)),
    ["s2", "1", "3"],
  );
  const accept = { "sec-websocket-accept": acceptOf(key) };
  assertThrows(
    () => handshake.checkAgain(answer(accept), key),
    ProxyError,
    "no subprotocol",
  );
  handshake.checkAgain(
    answer({ ...accept, "sec-websocket-protocol": "s2" }),
    key,
  );
  assertEquals(handshake.subprotocol, "s2");
});

Deno.test("Handshake.answerClient: the client's own accept, the subprotocol, and only fields that pass", () => {
  const { method, headers } = request({ "sec-websocket-protocol": "s1" });
  const handshake = new Handshake({ method, headers }, RULES);
  const key = handshake.askBackend(headers, undefined);
  const head = answer({
    "sec-websocket-accept": acceptOf(key),
    "sec-websocket-protocol": "s1",
    "server": "x",
  });
  head.fields.append("set-cookie", "a=1");
  head.fields.append("set-cookie", "b=2");
  handshake.checkResponse(head, key);
  assertEquals([...handshake.answerClient(head)], [
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=2"],
    ["upgrade", "websocket"],
    ["sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
    ["sec-websocket-protocol", "s1"],
  ]);
});

Deno.test("Handshake: a dialer gets the client's fields but those of the connection", () => {
  const handshake = new Handshake(
    request({
      "sec-websocket-protocol": "s1, s2",
      "sec-websocket-extensions": "permessage-deflate",
      "connection": "Upgrade",
      "upgrade": "websocket",
      "x-blocked": "1",
      "x-own": "1",
      "x-balancer-reconnect": "1",
    }),
    { ...RULES, blockHeaders: ["X-Blocked"] },
  );
  const fields = () =>
    new ListFields([
      ["Host", "a"],
      ["X-Own", "1"],
      ["X-Own", "2"],
      ["X-Blocked", "1"],
      ["Connection", "Upgrade"],
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Key", KEY],
      ["Sec-WebSocket-Version", "13"],
      ["Sec-WebSocket-Extensions", "x"],
      ["Sec-WebSocket-Protocol", "s1, s2"],
      ["X-Balancer-Reconnect", "forged"],
    ]);
  assertEquals([...handshake.askDialer(fields(), undefined)], [
    ["sec-websocket-protocol", "s1, s2"],
    ["x-own", "1, 2"],
  ]);
  handshake.settle("s2");
  assertEquals([...handshake.askDialer(fields(), { replayed: 0 })], [
    ["sec-websocket-protocol", "s2"],
    ["x-balancer-reconnect", "1"],
    ["x-own", "1, 2"],
  ]);
});

Deno.test("Handshake: what a dialer's connection chose must be of the offer, and stay so", () => {
  const offering = () =>
    new Handshake(request({ "sec-websocket-protocol": "s1, s2" }), RULES);
  assertThrows(() => offering().settle("s3"), ProxyError, "not offered");
  const handshake = offering();
  handshake.settle("s1");
  handshake.settleAgain("s1");
  for (const other of ["s2", undefined]) {
    assertThrows(() => handshake.settleAgain(other), ProxyError, "has s1");
  }
  assertEquals(handshake.subprotocol, "s1");
  const without = offering();
  without.settle(undefined);
  assertThrows(() => without.settleAgain("s1"), ProxyError, "has none");
});

Deno.test("Handshake: a dialer's fields come with the client's 101, but for Headrace's own", () => {
  const handshake = new Handshake(request(), RULES);
  handshake.settle(undefined);
  const answer = handshake.answerDialled([
    ["X-One", "1"],
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=2"],
    ["Connection", "close"],
    ["Sec-WebSocket-Accept", "forged"],
    ["Sec-WebSocket-Extensions", "x"],
  ]);
  assertEquals([...answer], [
    ["X-One", "1"],
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=2"],
    ["upgrade", "websocket"],
    ["sec-websocket-accept", acceptOf(KEY)],
  ]);
  assertThrows(() => handshake.answerDialled([["a b", "1"]]), TypeError);
});
