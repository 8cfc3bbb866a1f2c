import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { fakeRequest } from "../../../core/testing/views.ts";

Deno.test("a fake request is authorized as the proxy's are", () => {
  assertEquals(fakeRequest().authorized, false);
  assertEquals(fakeRequest({ authorized: true }).authorized, true);
  const came = fakeRequest({ headers: { Authorization: "Basic x" } });
  came.headers.delete("authorization");
  assert(came.authorized, "whatever a handler took away");
  const given = fakeRequest();
  given.headers.set("authorization", "Basic x");
  assert(given.authorized);
  const admitted = fakeRequest();
  admitted.authorized = true;
  assert(admitted.authorized);
  assertThrows(
    () => admitted.authorized = false,
    TypeError,
    "Cannot set authorized to anything but true",
  );
});
