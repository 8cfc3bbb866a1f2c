/**
 * The commands: one table from which dispatch and help are made. Each loads its
 * own code: who runs the proxy needs no data plane in the main thread, who asks
 * for the version needs nothing.
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  callOf,
  type Command,
  type CommandContext,
  type CommandOptions,
  EXIT,
  type OptionName,
  OPTIONS,
  usageOf,
} from "./command.ts";
import { VERSION } from "../version.ts";

/** Where the admin address is, for those who ask a running proxy. */
const ADMIN: readonly OptionName[] = ["admin", "token"];

/** Every command, in the order of help. */
export const COMMANDS: readonly Command[] = [
  {
    name: "",
    does: "runs the embedded demo: two backends and a proxy on 127.0.0.1",
    operands: [],
    options: [],
    needs: [],
    run: async (_operands, _options, context) =>
      (await import("./command_demo.ts")).runDemo(context),
  },
  {
    name: "",
    does:
      "runs the proxy; --watch reloads when FILE changes, --takeover takes a running one's addresses over, which then drains",
    operands: [],
    options: ["config", "watch", "takeover"],
    needs: ["config"],
    run: async (_operands, { config, watch, takeover }, context) =>
      (await import("./command_run.ts")).runProxy(config!, context, {
        watch: watch === true,
        takeover: takeover === true,
      }),
  },
  {
    name: "",
    does: "stops after checking",
    operands: [],
    options: ["config", "check"],
    needs: ["config", "check"],
    run: async (_operands, { config }, context) =>
      (await import("./command_check.ts")).checkConfig(config!, context),
  },
  {
    name: "check",
    does: "loads everything, plugins too, binds nothing; tells every problem",
    operands: ["FILE"],
    options: [],
    needs: [],
    run: async ([file], _options, context) =>
      (await import("./command_check.ts")).checkConfig(file!, context),
  },
  {
    name: "explain",
    does: "which way a request would take through a config, and why",
    operands: ["FILE", "URL"],
    options: ["request", "header", "data", "client", "listener", "json"],
    needs: [],
    run: async ([file, url], options, context) => {
      const { explainRequest } = await import("./command_explain.ts");
      return await explainRequest(file!, url!, options, context);
    },
  },
  {
    name: "schema",
    does: "prints the config's JSON Schema",
    operands: [],
    options: [],
    needs: [],
    run: async () => (await import("./command_schema.ts")).printSchema(),
  },
  {
    name: "points",
    does: "prints the page of callback points",
    operands: [],
    options: [],
    needs: [],
    run: async () => (await import("./command_points.ts")).printPoints(),
  },
  {
    name: "plugins",
    does: "lists what is built in and embedded",
    operands: [],
    options: [],
    needs: [],
    run: async (_operands, _options, context) =>
      (await import("./command_plugins.ts")).listPlugins(context),
  },
  {
    name: "plugins",
    does: "lists what a running proxy loaded",
    operands: [],
    options: ADMIN,
    needs: ["admin"],
    run: async (_operands, options) =>
      (await import("./command_control.ts")).plugins(options),
  },
  {
    name: "plugin new",
    does: "writes a plugin that works, with a test and a config",
    operands: ["NAME"],
    options: [],
    needs: [],
    run: async ([name]) =>
      (await import("./command_plugin.ts")).newPlugin(name!),
  },
  {
    name: "plugin check",
    does: "tells what a plugin is made of, wants and does",
    operands: ["URL"],
    options: ["options"],
    needs: [],
    run: async ([url], options, context) =>
      (await import("./command_plugin.ts")).checkPlugin(url!, options, context),
  },
  {
    name: "plugin hash",
    does: "prints the hash to write as its integrity",
    operands: ["URL"],
    options: [],
    needs: [],
    run: async ([url], _options, context) =>
      (await import("./command_plugin.ts")).hashPlugin(url!, context),
  },
  {
    name: "compile",
    does: "makes an executable with the config's plugins in it (needs Deno)",
    operands: [],
    options: ["config", "output", "target", "allow"],
    needs: ["output"],
    run: async (_operands, options, context) =>
      (await import("./command_compile.ts")).compile(
        options.output!,
        options,
        context,
      ),
  },
  {
    name: "completions",
    does: "prints what a shell completes",
    operands: ["bash|zsh|fish"],
    options: [],
    needs: [],
    run: async ([shell]) => {
      const { printCompletions } = await import("./command_completions.ts");
      return printCompletions(shell!, COMMANDS);
    },
  },
  {
    name: "status",
    does: "tells what a running proxy does",
    operands: [],
    options: ADMIN,
    needs: [],
    run: async (_operands, options) =>
      (await import("./command_control.ts")).status(options),
  },
  {
    name: "reload",
    does: "has a running proxy load its config anew",
    operands: [],
    options: ADMIN,
    needs: [],
    run: async (_operands, options) =>
      (await import("./command_control.ts")).reload(options),
  },
  {
    name: "drain",
    does: "has a running proxy finish what it has begun, and end",
    operands: [],
    options: ADMIN,
    needs: [],
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
        ...OPTIONS,
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
    });
  } catch (thrown) {
    return misused(thrown instanceof Error ? thrown.message : String(thrown));
  }
  const { values: { help, version, ...options }, positionals } = parsed;
  if (help) return print(helpText());
  if (version) {
    return print(`headrace ${VERSION} (deno ${Deno.version.deno})`);
  }
  const ways = findCommand(positionals);
  const command = chooseWay(ways, options);
  if (command === undefined) {
    return misused(`Unknown command "${positionals.join(" ")}"`);
  }
  const problem = optionProblem(command, ways, options);
  if (problem !== undefined) return misused(problem);
  const operands = positionals.slice(wordsOf(command).length);
  if (operands.length !== command.operands.length) {
    return misused(`Usage: headrace ${usageOf(command)}`);
  }
  return await command.run(operands, options, context);
}

/** The ways to use the command whose name, of two words, one or none, the words are or begin with. */
function findCommand(words: readonly string[]): readonly Command[] {
  return COMMANDS.filter((command) => {
    const own = wordsOf(command);
    return (own.length > 0 || words.length === 0) &&
      own.every((word, i) => word === words[i]);
  });
}

function wordsOf({ name }: Command): readonly string[] {
  return name === "" ? [] : name.split(" ");
}

/** The way that most of the options are needed for; the first one where none has all that it needs. */
function chooseWay(
  ways: readonly Command[],
  options: CommandOptions,
): Command | undefined {
  return ways.filter((way) => missing(way, options).length === 0)
    .sort((a, b) => b.needs.length - a.needs.length)[0] ?? ways[0];
}

function missing({ needs }: Command, options: CommandOptions) {
  return needs.filter((name) => options[name] === undefined);
}

/** What is wrong with the options for this way to use a command. */
function optionProblem(
  command: Command,
  ways: readonly Command[],
  options: CommandOptions,
): string | undefined {
  const lacking = missing(command, options);
  if (lacking.length > 0) return needed(command.name, lacking);
  const foreign = (Object.keys(options) as OptionName[]).find((name) =>
    !command.options.includes(name)
  );
  if (foreign === undefined) return undefined;
  // Another way to use this command may have a use for it.
  for (const way of ways) {
    const others = missing(way, options);
    if (way.options.includes(foreign) && others.length > 0) {
      return needed(`--${foreign}`, others);
    }
  }
  const call = callOf(command);
  return call === ""
    ? `--${foreign} needs a command`
    : `headrace ${call} takes no --${foreign}`;
}

function needed(what: string, options: readonly OptionName[]): string {
  const usages = options.map((name) => OPTIONS[name].usage);
  return `${what} needs ${usages.join(" and ")}`;
}

/** The text of `--help`. */
export function helpText(): string {
  const rows: readonly (readonly [string, string])[] = [
    ...COMMANDS.map((command) => [usageOf(command), command.does] as const),
    ["--help, --version", "as you expect"],
  ];
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, right]) =>
    `  headrace ${left.padEnd(width)}  ${right}`
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
