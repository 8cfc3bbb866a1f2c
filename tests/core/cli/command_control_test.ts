import { call } from "../../../core/cli/command_control.ts";
import type { CommandOptions } from "../../../core/cli/command.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";

/** The exit code of a call and what it says on standard error. */
async function called(options: CommandOptions): Promise<[number, string]> {
  const { error } = console;
  const said: unknown[] = [];
  console.error = (message) => said.push(message);
  try {
    return [await call("GET", "/api/status", options), said.join("\n")];
  } finally {
    console.error = error;
  }
}

const MISUSED: readonly (readonly [string, CommandOptions, string])[] = [
  ["no URL", { admin: "localhost:9090" }, 'value is "localhost:9090"'],
  ["an empty URL", { admin: "" }, "--admin must be a URL"],
  ["a token that no field can hold", { token: "€" }, "must be visible ASCII"],
  ["a token of two lines", { token: "a\nb" }, "must be visible ASCII"],
];

for (const [what, options, message] of MISUSED) {
  Deno.test(`calls to an admin address: ${what} is a usage error`, async () => {
    const [code, said] = await called(options);
    assertEquals(code, 2);
    assertStringIncludes(said, message);
  });
}
