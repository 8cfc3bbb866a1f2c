import { createAdminApp } from "../../../core/admin/app.ts";
import { call } from "../../../core/cli/command_control.ts";
import type { CommandOptions } from "../../../core/cli/command.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { FakeLog, FakeSource } from "../admin/fake_source.ts";

/** The exit code of a call and what it says on standard error. */
async function called(options: CommandOptions): Promise<[number, string]> {
  const { error, log } = console;
  const said: unknown[] = [];
  console.error = (message) => said.push(message);
  console.log = () => {};
  try {
    return [await call("GET", "/api/status", options), said.join("\n")];
  } finally {
    Object.assign(console, { error, log });
  }
}

const MISUSED: readonly (readonly [string, CommandOptions, string])[] = [
  ["no URL", { admin: "localhost:9090" }, 'value is "localhost:9090"'],
  ["an empty URL", { admin: "" }, "--admin must be a URL"],
  ["a token of two lines", { token: "a\nb" }, "must be one line"],
  ["a token with a space at its end", { token: "a " }, "must be one line"],
];

for (const [what, options, message] of MISUSED) {
  Deno.test(`calls to an admin address: ${what} is a usage error`, async () => {
    const [code, said] = await called(options);
    assertEquals(code, 2);
    assertStringIncludes(said, message);
  });
}

for (const token of ["plain", "two words", "sécret €"]) {
  Deno.test(`calls to an admin address have the token that the proxy takes: ${token}`, async () => {
    const app = createAdminApp(new FakeSource(), {
      token,
      hosts: [],
      log: new FakeLog(),
    });
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    await using server = Deno.serve(options, (request) => app.fetch(request));
    const admin = `http://127.0.0.1:${server.addr.port}`;
    assertEquals(await called({ admin, token }), [0, ""]);
  });
}
