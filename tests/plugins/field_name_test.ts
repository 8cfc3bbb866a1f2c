import { fieldName } from "../../plugins/field_name.ts";
import authBasic from "../../plugins/auth_basic.ts";
import authJwt from "../../plugins/auth_jwt.ts";
import authRequest from "../../plugins/auth_request.ts";
import requestId from "../../plugins/request_id.ts";
import {
  checkOptions,
  FakeFields,
  OptionsError,
} from "../../core/testing/views.ts";
import type { Plugin } from "../../core/plugin.ts";
import { isFramingField } from "../../core/message/field_rules.ts";
import { KNOWN_NAMES } from "../../core/http1/known_fields.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";

Deno.test("fieldName() takes what handlers can change, and no other", () => {
  const schema = fieldName();
  const names = KNOWN_NAMES.filter((name) => name !== "");
  assert(names.some(isFramingField));
  for (
    const name of [...names, "X-User", "Proxy-Connection", "a b", "a:", ""]
  ) {
    let changes = true;
    try {
      new FakeFields().delete(name);
    } catch {
      changes = false;
    }
    assertEquals(schema.safeParse(name).success, changes, name);
  }
});

const USERS = ["alice:$apr1$lZL6V/ci$sQw6g73nRuoOIj/gnD18Z."];
const JWT = {
  keys: { secret: "0123456789abcdef0123456789abcdef" },
  algorithms: ["HS256"],
};
const URL = "http://auth.internal/";

const ROWS: readonly (readonly [
  plugin: unknown,
  options: (name: string) => unknown,
])[] = [
  [authBasic, (name) => ({ users: USERS, userHeader: name })],
  [authJwt, (name) => ({ ...JWT, claimHeaders: { sub: name } })],
  [authJwt, (name) => ({ ...JWT, from: { header: name } })],
  [authRequest, (name) => ({ url: URL, userHeaders: [name] })],
  [authRequest, (name) => ({ url: URL, clientHeaders: [name] })],
  [requestId, (name) => ({ header: name })],
];

for (const [plugin, options] of ROWS) {
  const { name } = plugin as Plugin;
  Deno.test(`${name} refuses ${JSON.stringify(options("te"))}`, async () => {
    await checkOptions(plugin as Plugin<unknown>, options("X-A"));
    await assertRejects(
      () => checkOptions(plugin as Plugin<unknown>, options("Keep-Alive")),
      OptionsError,
      "Expected a field that does not frame the message",
    );
  });
}
