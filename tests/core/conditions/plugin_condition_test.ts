import {
  requestCondition,
  responseCondition,
} from "../../../core/conditions/plugin_condition.ts";
import { builtinPrimitives } from "../../../core/conditions/primitives.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { FakeClock } from "../../support/clock.ts";
import { fakeRequest, fakeResponse } from "../../../core/testing/views.ts";

const primitives = builtinPrimitives(new FakeClock());

Deno.test("a plugin's condition is one of the rule language", () => {
  const { test, readsTls } = requestCondition(
    'req_method_in("POST") || req_host_in("a.example")',
    primitives,
  );
  assert(test(fakeRequest({ host: "a.example" })));
  assert(!test(fakeRequest()));
  assertEquals(readsTls, false);
});

Deno.test("a plugin's condition on responses asks for the request too", () => {
  const { test } = responseCondition(
    'res_code_in("404") && req_method_in("GET")',
    primitives,
  );
  assert(test(fakeRequest(), fakeResponse({ status: 404 })));
  assert(!test(fakeRequest(), fakeResponse({ status: 200 })));
});

Deno.test("a condition tells whether it reads TLS", () => {
  const text = '!ses_tls_sni_in("a.example")';
  assert(requestCondition(text, primitives).readsTls);
  assert(responseCondition(text, primitives).readsTls);
});

Deno.test("a condition on responses is refused where there is none yet", () => {
  assertThrows(
    () => requestCondition('res_code_in("404")', primitives),
    SyntaxError,
    "no response yet",
  );
});

Deno.test("a plugin's condition can't ask for a body", () => {
  for (const compile of [requestCondition, responseCondition]) {
    assertThrows(
      () => compile('!req_body_json_in("a", "b", false)', primitives),
      SyntaxError,
      "a body is read for the rules",
    );
  }
});
