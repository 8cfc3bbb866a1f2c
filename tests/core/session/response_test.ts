/**
 * The response as plugins see and change it.
 *
 * @module
 */
import fc from "fast-check";
import { ListFields } from "../../../core/message/list_fields.ts";
import { hasBody, Response } from "../../../core/session/response.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

function responseOf(status: number, bodyLength?: number): Response {
  return new Response({
    status,
    reason: "",
    fields: new ListFields(),
    from: "backend",
    bodyLength,
    method: "GET",
  });
}

Deno.test("hasBody is false for HEAD, 1xx, 204 and 304", () => {
  assert(hasBody("GET", 200));
  assert(hasBody("POST", 404));
  assert(hasBody(undefined, 400));
  assert(!hasBody("HEAD", 200));
  for (const status of [100, 101, 103, 204, 304]) {
    assert(!hasBody("GET", status), `${status}`);
  }
});

Deno.test("Response.status can be set to a status that is framed alike", () => {
  const response = responseOf(200);
  response.status = 503;

  assertEquals(response.status, 503);
});

Deno.test("Response.status refuses what is no final status", () => {
  const response = responseOf(200);
  for (const status of [0, 100, 199, 600, 200.5, NaN, "200"]) {
    assertThrows(
      () => response.status = status as number,
      RangeError,
      "200 to",
    );
  }

  assertEquals(response.status, 200);
});

Deno.test("Response.status never changes whether a body follows", () => {
  const status = fc.integer({ min: 100, max: 599 });
  fc.assert(
    fc.property(status, status, (from, to) => {
      const response = responseOf(from);
      try {
        response.status = to;
      } catch (error) {
        assert(error instanceof RangeError);
      }
      assertEquals(hasBody("GET", response.status), response.hasBody);
      assertEquals(response.status < 200, from < 200);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("Response.length is undefined where no length is declared", () => {
  assertEquals(responseOf(200, 5).length, 5);
  assertEquals(responseOf(200, 0).length, 0);
  assertEquals(responseOf(200, -1).length, undefined);
  assertEquals(responseOf(304).length, undefined);
});
