/**
 * What a command is.
 *
 * @module
 */
import type { Builtins } from "../plugins/import_plugin.ts";
import type { EmbeddedPlugin } from "../plugins/embedded.ts";

/** Exit codes (design.md §5). */
export const EXIT = { ok: 0, refused: 1, usage: 2 } as const;

/** What commands get from the entry. */
export interface CommandContext {
  readonly builtins: Builtins;
  /** Plugins that the executable that this is holds; left out where Deno runs the sources. */
  readonly embedded?: readonly EmbeddedPlugin[];
}

/** An option as the command line's parser, help and completions know it. */
export interface OptionShape {
  readonly type: "string" | "boolean";
  readonly short?: string;
  /** Whether it may be given again and again. */
  readonly multiple?: boolean;
  /** How help writes it, with what follows it. */
  readonly usage: string;
}

/** Every option but those that all commands take; each command says which ones it has a use for. */
export const OPTIONS = {
  config: { type: "string", short: "c", usage: "--config FILE" },
  check: { type: "boolean", usage: "--check" },
  watch: { type: "boolean", usage: "--watch" },
  takeover: { type: "boolean", usage: "--takeover" },
  // A request: its method, field lines, body, client, and the listener it meets.
  request: { type: "string", short: "X", usage: "-X METHOD" },
  header: {
    type: "string",
    short: "H",
    multiple: true,
    usage: "-H 'name: value'",
  },
  data: { type: "string", short: "d", usage: "-d BODY" },
  client: { type: "string", usage: "--client ADDRESS" },
  listener: { type: "string", usage: "--listener NAME" },
  json: { type: "boolean", usage: "--json" },
  // A plugin's options.
  options: { type: "string", usage: "--options JSON" },
  // An executable: its path, what Deno's compiler calls the machines that it is
  // for, its permissions beyond those that Headrace needs.
  output: { type: "string", short: "o", usage: "--output BIN" },
  target: { type: "string", usage: "--target TARGET" },
  allow: { type: "string", multiple: true, usage: "--allow PERMISSION" },
  admin: { type: "string", usage: "--admin URL" },
  token: { type: "string", usage: "--token TOKEN" },
} as const satisfies Readonly<Record<string, OptionShape>>;

export type OptionName = keyof typeof OPTIONS;

type Value<Shape extends OptionShape> = Shape["type"] extends "boolean"
  ? boolean
  : Shape extends { multiple: true } ? readonly string[]
  : string;

/** Options that a command line holds. */
export type CommandOptions = {
  readonly [Name in OptionName]?: Value<typeof OPTIONS[Name]>;
};

/** A command, or one way to use it: they are told apart by what they need. */
export interface Command {
  /** One word, or two as in `plugin new`; none where options say what is to be done. */
  readonly name: string;
  readonly does: string;
  /** What follows the name, in order; all of it must. `a|b` is one word of these. */
  readonly operands: readonly string[];
  /** Options that it has a use for, as help lists them: all others are refused. */
  readonly options: readonly OptionName[];
  /** Those of them that it can't do without. */
  readonly needs: readonly OptionName[];
  run(
    operands: readonly string[],
    options: CommandOptions,
    context: CommandContext,
  ): Promise<number> | number;
}

/** What a command needs, as it is typed. */
export function callOf({ name, operands, needs }: Command): string {
  const options = needs.map((option) => OPTIONS[option].usage);
  return [name, ...operands, ...options].filter((part) => part !== "")
    .join(" ");
}

/** A command with all that it takes, as help writes it. */
export function usageOf({ name, operands, options, needs }: Command): string {
  const parts = options.map((option) => {
    const { usage, multiple }: OptionShape = OPTIONS[option];
    return `${needs.includes(option) ? usage : `[${usage}]`}${
      multiple ? "…" : ""
    }`;
  });
  return [name, ...operands, ...parts].filter((part) => part !== "").join(" ");
}
