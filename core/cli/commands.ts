/**
 * The commands: one table from which dispatch and help are made. Each loads its
 * own code: who runs the proxy needs no data plane in the main thread, who asks
 * for the version needs nothing.
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  type Command,
  type CommandContext,
  type CommandOptions,
  EXIT,
} from "./command.ts";
import { VERSION } from "../version.ts";

/** Every command that has a name. */
export const COMMANDS: readonly Command[] = [
  {
    name: "check",
    usage: "FILE",
    does: "loads everything, plugins too, binds nothing; tells every problem",
    operands: 1,
    run: async ([file], _options, context) =>
      (await import("./command_check.ts")).checkConfig(file!, context),
  },
  {
    name: "explain",
    usage:
      "FILE URL [-X METHOD] [-H 'name: value']… [-d BODY] [--client ADDRESS] [--listener NAME] [--json]",
    does: "which way a request would take through a config, and why",
    operands: 2,
    run: async ([file, url], options, context) => {
      const { explainRequest } = await import("./command_explain.ts");
      return await explainRequest(file!, url!, options, context);
    },
  },
  {
    name: "schema",
    usage: "",
    does: "prints the config's JSON Schema",
    operands: 0,
    run: async () => (await import("./command_schema.ts")).printSchema(),
  },
  {
    name: "points",
    usage: "",
    does: "prints the page of callback points",
    operands: 0,
    run: async () => (await import("./command_points.ts")).printPoints(),
  },
  {
    name: "plugins",
    usage: "[--admin URL] [--token TOKEN]",
    does: "lists what is built in and embedded, or what a running proxy loaded",
    operands: 0,
    run: async (_operands, options, context) =>
      (await import("./command_plugins.ts")).listPlugins(options, context),
  },
  {
    name: "plugin new",
    usage: "NAME",
    does: "writes a plugin that works, with a test and a config",
    operands: 1,
    run: async ([name]) =>
      (await import("./command_plugin.ts")).newPlugin(name!),
  },
  {
    name: "plugin check",
    usage: "URL [--options JSON]",
    does: "tells what a plugin is made of, wants and does",
    operands: 1,
    run: async ([url], options, context) =>
      (await import("./command_plugin.ts")).checkPlugin(url!, options, context),
  },
  {
    name: "plugin hash",
    usage: "URL",
    does: "prints the hash to write as its integrity",
    operands: 1,
    run: async ([url], _options, context) =>
      (await import("./command_plugin.ts")).hashPlugin(url!, context),
  },
  {
    name: "compile",
    usage:
      "[--config FILE] --output BIN [--target TARGET] [--allow PERMISSION]…",
    does: "makes an executable with the config's plugins in it (needs Deno)",
    operands: 0,
    run: async (_operands, options, context) =>
      (await import("./command_compile.ts")).compile(options, context),
  },
  {
    name: "completions",
    usage: "bash|zsh|fish",
    does: "prints what a shell completes",
    operands: 1,
    run: async ([shell]) => {
      const { printCompletions } = await import("./command_completions.ts");
      return printCompletions(shell!, COMMANDS);
    },
  },
  {
    name: "status",
    usage: "[--admin URL] [--token TOKEN]",
    does: "tells what a running proxy does",
    operands: 0,
    run: async (_operands, options) =>
      (await import("./command_control.ts")).status(options),
  },
  {
    name: "reload",
    usage: "[--admin URL] [--token TOKEN]",
    does: "has a running proxy load its config anew",
    operands: 0,
    run: async (_operands, options) =>
      (await import("./command_control.ts")).reload(options),
  },
  {
    name: "drain",
    usage: "[--admin URL] [--token TOKEN]",
    does: "has a running proxy finish what it has begun, and end",
    operands: 0,
    run: async (_operands, options) =>
      (await import("./command_control.ts")).drain(options),
  },
];

/** Runs what the command line says; the exit code. */
export async function runCommand(
  args: readonly string[],
  context: CommandContext,
): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: "string", short: "c" },
        check: { type: "boolean" },
        admin: { type: "string" },
        token: { type: "string" },
        request: { type: "string", short: "X" },
        header: { type: "string", short: "H", multiple: true },
        data: { type: "string", short: "d" },
        client: { type: "string" },
        listener: { type: "string" },
        json: { type: "boolean" },
        takeover: { type: "boolean" },
        output: { type: "string", short: "o" },
        target: { type: "string" },
        allow: { type: "string", multiple: true },
        options: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
    });
  } catch (thrown) {
    return misused(thrown instanceof Error ? thrown.message : String(thrown));
  }
  const { values, positionals } = parsed;
  if (values.help) return print(helpText());
  if (values.version) {
    return print(`headrace ${VERSION} (deno ${Deno.version.deno})`);
  }
  if (positionals.length === 0) return await runUnnamed(values, context);
  const command = findCommand(positionals);
  if (command === undefined) {
    return misused(`Unknown command "${positionals.join(" ")}"`);
  }
  const operands = positionals.slice(command.name.split(" ").length);
  if (operands.length !== command.operands) {
    return misused(`Usage: headrace ${command.name} ${command.usage}`.trim());
  }
  return await command.run(operands, values, context);
}

/** The command whose name, of one word or two, the words begin with. */
function findCommand(words: readonly string[]): Command | undefined {
  return COMMANDS.find(({ name }) =>
    name.split(" ").every((word, i) => word === words[i])
  );
}

async function runUnnamed(
  options: CommandOptions,
  context: CommandContext,
): Promise<number> {
  if (options.config === undefined) {
    if (options.check) return misused("--check needs --config FILE");
    if (options.takeover) return misused("--takeover needs --config FILE");
    return (await import("./command_demo.ts")).runDemo(context);
  }
  if (options.check) {
    const { checkConfig } = await import("./command_check.ts");
    return await checkConfig(options.config, context);
  }
  const { runProxy } = await import("./command_run.ts");
  return await runProxy(options.config, context, {
    takeover: options.takeover === true,
  });
}

/** The text of `--help`. */
export function helpText(): string {
  const rows = [
    ["", "runs the embedded demo: two backends and a proxy on 127.0.0.1"],
    ["--config FILE", "runs the proxy"],
    ["--config FILE --check", "stops after checking"],
    [
      "--config FILE --takeover",
      "takes the addresses of a running proxy over, which then drains",
    ],
    ...COMMANDS.map((
      { name, usage, does },
    ) => [`${name} ${usage}`.trim(), does]),
    ["--help, --version", "as you expect"],
  ] as const;
  const width = Math.max(...rows.map(([left]) => left!.length));
  const lines = rows.map(([left, right]) =>
    `  headrace ${left!.padEnd(width)}  ${right}`
  );
  return [
    "Headrace, a programmable proxy and load balancer",
    "",
    "Usage:",
    ...lines,
    "",
    "Exit codes: 0 fine (also after a drain), 1 config refused, 2 usage.",
    "Signals: SIGHUP reloads; SIGTERM and SIGINT drain, a second one cuts.",
  ].join("\n");
}

function print(text: string): number {
  console.log(text);
  return EXIT.ok;
}

function misused(message: string): number {
  console.error(`${message}\nTry headrace --help`);
  return EXIT.usage;
}
