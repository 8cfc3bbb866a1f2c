import {
  callOf,
  type Command,
  type CommandOptions,
  type OptionName,
  OPTIONS,
  type OptionShape,
} from "../../../core/cli/command.ts";
import { COMMANDS, helpText, runCommand } from "../../../core/cli/commands.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inTime } from "../../support/eventually.ts";
import { staticImports } from "../../support/static_imports.ts";

const NAMES = Object.keys(OPTIONS) as OptionName[];

/** An option as it is typed, with a value where it takes one. */
function typed(name: OptionName): string[] {
  return OPTIONS[name].type === "boolean"
    ? [`--${name}`]
    : [`--${name}`, "value"];
}

/** A command line that a command takes. */
function lineOf({ name, operands, needs }: Command): string[] {
  const words = name === "" ? [] : name.split(" ");
  return [...words, ...operands.map(() => "x"), ...needs.flatMap(typed)];
}

/** The exit code of a command line that is refused, and what it says on standard error. */
async function refused(args: readonly string[]): Promise<[number, string]> {
  const { error } = console;
  const said: unknown[] = [];
  console.error = (message) => said.push(message);
  try {
    const running = runCommand(args, { builtins: new Map() });
    return [await inTime(args.join(" "), running), said.join("\n")];
  } finally {
    console.error = error;
  }
}

Deno.test("the program begins with the table of commands and loads none of them", async () => {
  assertEquals([...await staticImports("main.ts")].sort(), [
    "core/cli/command.ts",
    "core/cli/commands.ts",
    "core/version.ts",
    "main.ts",
    "node:util",
    "plugins/mod.ts",
  ]);
});

for (const command of COMMANDS) {
  const ways = COMMANDS.filter(({ name }) => name === command.name);
  const foreign = NAMES.filter((option) =>
    !ways.some(({ options }) => options.includes(option))
  );

  Deno.test(`headrace ${callOf(command)}: every option but its own is refused, in a line`, async () => {
    assertEquals(foreign.length > 0, true);
    for (const option of foreign) {
      const args = [...lineOf(command), ...typed(option)];
      const [code, said] = await refused(args);
      assertEquals(code, 2, args.join(" "));
      assertEquals(
        said,
        `${
          callOf(command) === ""
            ? `--${option} needs a command`
            : `headrace ${callOf(command)} takes no --${option}`
        }\nTry headrace --help`,
      );
    }
  });

  Deno.test(`headrace ${callOf(command)}: one operand too many or too few is refused`, async () => {
    const line = lineOf(command);
    const [code, said] = await refused([...line, "one-more"]);
    assertEquals(code, 2);
    assertStringIncludes(
      said,
      command.name === "" ? "Unknown command" : `Usage: headrace `,
    );
    if (command.operands.length === 0) return;
    const [fewer] = await refused(line.slice(0, -1));
    assertEquals(fewer, 2);
  });
}

/** Options that other ways to use the same command take. */
const BETWEEN: readonly (readonly [string, string])[] = [
  ["--check", "--check needs --config FILE"],
  ["--watch", "--watch needs --config FILE"],
  ["--takeover --watch", "--takeover needs --config FILE"],
  [
    "--config x --check --watch",
    "headrace --config FILE --check takes no --watch",
  ],
  [
    "--takeover --check --config x",
    "headrace --config FILE --check takes no --takeover",
  ],
  ["plugins --token x", "--token needs --admin URL"],
  ["compile --config x", "compile needs --output BIN"],
];

for (const [line, message] of BETWEEN) {
  Deno.test(`headrace ${line}: ${message}`, async () => {
    assertEquals(await refused(line.split(" ")), [
      2,
      `${message}\nTry headrace --help`,
    ]);
  });
}

Deno.test("a command gets its options, and is the way that they ask for", async () => {
  const rows: readonly (readonly [string, OptionName[], CommandOptions])[] = [
    ["--config x", ["config"], { config: "x" }],
    ["-c x --watch", ["config"], { config: "x", watch: true }],
    ["--config x --check", ["config", "check"], { config: "x", check: true }],
    ["plugins", [], {}],
    ["plugins --admin x --token y", ["admin"], { admin: "x", token: "y" }],
    ["explain x y -H a -H b", [], { header: ["a", "b"] }],
  ];
  for (const [line, needs, expected] of rows) {
    const words = line.split(" ");
    const name = words[0]!.startsWith("-") ? "" : words[0]!;
    const called: [Command, CommandOptions][] = [];
    const runs = COMMANDS.map((command) => {
      const { run } = command;
      command.run = (_operands, options) => {
        called.push([command, options]);
        return 0;
      };
      return () => command.run = run;
    });
    try {
      assertEquals(await runCommand(words, { builtins: new Map() }), 0);
    } finally {
      for (const restore of runs) restore();
    }
    assertEquals(called.length, 1, line);
    const [[command, options] = []] = called;
    assertEquals([command!.name, command!.needs], [name, needs], line);
    assertEquals({ ...options }, expected, line);
  }
});

Deno.test("help writes every option of every command", () => {
  const lines = helpText().split("\n");
  for (const command of COMMANDS) {
    const line = lines.find((line) => line.endsWith(`  ${command.does}`)) ?? "";
    for (const option of command.options) {
      const { usage }: OptionShape = OPTIONS[option];
      assertStringIncludes(
        line,
        command.needs.includes(option) ? ` ${usage}` : `[${usage}]`,
      );
    }
  }
});
