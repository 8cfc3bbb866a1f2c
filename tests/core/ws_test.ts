import {
  isDeclined,
  isUnavailable,
  webSocketTools as ws,
} from "../../core/ws.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

Deno.test("ws: the errors say who refused and why, and are told apart", () => {
  const response = { body: "no" };
  const declined = ws.connectionDeclined("b1", "not you", 401, response);
  assert(declined instanceof Error);
  assertEquals(
    [declined.id, declined.message, declined.code, declined.response],
    ["b1", "not you", 401, response],
  );
  assertEquals([isDeclined(declined), isUnavailable(declined)], [true, false]);
  const unavailable = ws.systemUnavailable("b2", "refused");
  assertEquals(
    [unavailable.id, unavailable.message, unavailable.code],
    ["b2", "refused", undefined],
  );
  assertEquals(ws.systemUnavailable("b2", "busy", 503).code, 503);
  assertEquals(
    [isDeclined(unavailable), isUnavailable(unavailable)],
    [false, true],
  );
  for (const other of [undefined, null, "x", new Error("x"), {}, 32]) {
    assertEquals([isDeclined(other), isUnavailable(other)], [false, false]);
  }
});

Deno.test("ws: another copy of the module makes errors that are known, too", async () => {
  const path = new URL("../../core/ws.ts", import.meta.url);
  const copy: typeof import("../../core/ws.ts") = await import(
    `${path}?another=copy`
  );
  assert(copy.webSocketTools !== ws);
  assert(isDeclined(copy.webSocketTools.connectionDeclined("b", "no", 403)));
  assert(isUnavailable(copy.webSocketTools.systemUnavailable("b", "no")));
});

Deno.test("ws: only statuses that refuse can be declined with", () => {
  for (const code of [200, 299, 600, 0, NaN, 401.5]) {
    assertThrows(() => ws.connectionDeclined("b", "no", code), RangeError);
  }
});

Deno.test("ws: the constants, which nobody can change", () => {
  assertEquals(
    [
      ws.NORMAL_CLOSURE,
      ws.ABNORMAL_CLOSURE,
      ws.RESULT_SUCCESS,
      ws.RESULT_NO_ACTION,
      ws.RESULT_FAILED,
    ],
    [32, 64, 1, 3, 4],
  );
  assertEquals(
    [ws.SUBPROTOCOL_HEADER, ws.FORWARDED_FOR_HEADER],
    ["Sec-WebSocket-Protocol", "X-Forwarded-For"],
  );
  assert(Object.isFrozen(ws));
});
