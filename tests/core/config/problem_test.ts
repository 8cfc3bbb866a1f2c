import { formatPath, formatProblem } from "../../../core/config/problem.ts";
import type { Problem } from "../../../core/config/problem.ts";
import { reportFindings } from "../../../core/config/report.ts";
import { assertEquals } from "../../support/assert.ts";

const PROBLEM: Problem = {
  file: "proxy.yaml",
  line: 12,
  column: 7,
  path: "listeners[0].limits.header",
  message: "unknown key",
};

Deno.test("formatProblem tells place, path, message and suggestion", () => {
  assertEquals(
    formatProblem({ ...PROBLEM, suggestion: "headers" }),
    'proxy.yaml:12:7 listeners[0].limits.header: unknown key, did you mean "headers"?',
  );
});

Deno.test("formatProblem leaves out a place or path that it does not know", () => {
  assertEquals(
    formatProblem({ file: "proxy.yaml", path: "", message: "is empty" }),
    "proxy.yaml: is empty",
  );
});

Deno.test("formatProblem shows scalars, and only the kind of what is larger", () => {
  for (
    const [value, shown] of [
      ["a", '"a"'],
      [5, "5"],
      [null, "empty"],
      [[], "an empty list"],
      [[1], "a list"],
      [{ a: 1 }, "a mapping"],
    ] as const
  ) {
    const text = formatProblem({ ...PROBLEM, message: "expected x", value });
    assertEquals(text.split("expected x, is ")[1], shown);
  }
});

Deno.test("formatProblem cuts long values and hides passwords in URLs", () => {
  const show = (value: string) =>
    formatProblem({ file: "f", path: "", message: "x", value });
  assertEquals(show("a".repeat(500)).length < 120, true);
  assertEquals(show("http://u:p@h/"), 'f: x, is "http://***@h/"');
});

Deno.test("formatPath quotes keys that are no names", () => {
  assertEquals(
    formatPath(["listeners", 0, "sni", "db.example.com"]),
    'listeners[0].sni["db.example.com"]',
  );
});

Deno.test("reportFindings places the findings of later checks", async () => {
  const file = { path: "p.yaml", text: 'plugins:\n  - { use: "./a.ts" }\n' };
  const finding = { path: ["plugins", 0, "use"], message: "not found" };
  assertEquals(await reportFindings(file, [finding]), [{
    file: "p.yaml",
    line: 2,
    column: 12,
    path: "plugins[0].use",
    message: "not found",
  }]);
});

Deno.test("reportFindings never shows the admin token", async () => {
  const file = { path: "p.yaml", text: "admin:\n  token: 12345\n" };
  const path = ["admin", "token"];
  const [problem] = await reportFindings(file, [
    { path, message: "expected text", value: 12345, suggestion: "12345" },
  ]);
  assertEquals([problem?.value, problem?.suggestion], [undefined, undefined]);
});

Deno.test("reportFindings shows what stands in the file in place of an expanded value", async () => {
  const file = { path: "p.yaml", text: "a: ${B}\n" };
  const [problem] = await reportFindings(
    file,
    [{ path: ["a"], message: "x", value: "secret", suggestion: "secrets" }],
    new Map([["a", "${B}"]]),
  );
  assertEquals([problem?.value, problem?.suggestion], ["${B}", undefined]);
});
