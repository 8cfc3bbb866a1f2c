import {
  formatJson,
  formatText,
  type LogEvent,
} from "../../../core/observe/log_format.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../support/assert.ts";

function event(
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
): LogEvent {
  return { time: 1_700_000_000_123, level: "error", message, fields };
}

Deno.test("formatJson() writes errors with stack and cause", () => {
  const cause = new RangeError("why");
  const error = new TypeError("boom", { cause });
  const parsed = JSON.parse(formatJson(event("x", { error })));

  assertEquals(parsed.error.name, "TypeError");
  assertEquals(parsed.error.message, "boom");
  assertStringIncludes(parsed.error.stack, "log_format_test.ts");
  assertEquals(parsed.error.cause.message, "why");
});

Deno.test("formatJson() keeps an error's own properties", () => {
  const error = Object.assign(new Error("x"), { code: "connect_refused" });
  const parsed = JSON.parse(formatJson(event("x", { error })));

  assertEquals(parsed.error.code, "connect_refused");
});

Deno.test("formatJson() keeps fields from replacing the record's own keys", () => {
  const parsed = JSON.parse(formatJson(event("x", { level: 9, time: 1 })));

  assertEquals([parsed.level, parsed.level_, parsed.time_], ["error", 9, 1]);
});

Deno.test("formatJson() writes what JSON can't: cycles, bigints, throwing values", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const trap = {
    toJSON() {
      throw new Error("no");
    },
  };
  const line = formatJson(
    event("x", { cycle, big: 10n, trap, none: undefined, fn: () => 1 }),
  );
  const parsed = JSON.parse(line);

  assertStringIncludes(parsed.cycle, "Circular");
  assertEquals(parsed.big, "10");
  assertEquals(typeof parsed.trap, "string");
  assertEquals(Object.keys(parsed).includes("none"), false);
});

Deno.test("formatJson() stays one line without control characters", () => {
  const text = "a\nb\r\x1b[31m\x7f\x9b2J";
  const line = formatJson(event(text, { text }));

  assert(/^\P{Cc}+\n$/u.test(line), line);
  assertEquals(JSON.parse(line).text, text);
});

Deno.test("formatText() writes time, level, message and fields", () => {
  assertEquals(
    formatText(event("Cannot listen", {
      address: "127.0.0.1:80",
      reason: "in use",
      attempt: 2,
      tags: ["a"],
      empty: "",
    })),
    '2023-11-14T22:13:20.123Z ERR Cannot listen address=127.0.0.1:80 reason="in use" attempt=2 tags=["a"] empty=""\n',
  );
});

Deno.test("formatText() writes an error's frames below, indented", () => {
  const [first, second] = formatText(event("x", { error: new Error("a\nb") }))
    .split("\n");

  assertStringIncludes(first ?? "", 'x error="Error: a\\nb"');
  assertMatch(second ?? "", /^ {4}at .*log_format_test\.ts/);
});

Deno.test("formatText() lets nobody forge a record or steer a terminal", () => {
  const text = "a\n2023 ERR forged \x1b[2J\x9b";
  const line = formatText(event(text, { text, [text]: 1 }));

  assert(/^\P{Cc}+\n$/u.test(line), JSON.stringify(line));
});
