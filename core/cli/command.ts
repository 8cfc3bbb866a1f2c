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

/** Options that a command line may hold. */
export interface CommandOptions {
  readonly config?: string;
  readonly check?: boolean;
  readonly admin?: string;
  readonly token?: string;
  /** A request's method. */
  readonly request?: string;
  /** Field lines of a request. */
  readonly header?: readonly string[];
  /** A request's body. */
  readonly data?: string;
  /** A client's address. */
  readonly client?: string;
  /** A listener's name. */
  readonly listener?: string;
  readonly json?: boolean;
  readonly takeover?: boolean;
  /** An executable's path. */
  readonly output?: string;
  /** What an executable is for, as Deno's compiler names it. */
  readonly target?: string;
  /** Permissions of an executable beyond those that Headrace needs. */
  readonly allow?: readonly string[];
  /** A plugin's options, in JSON. */
  readonly options?: string;
}

/** A command. */
export interface Command {
  /** One word, or two as in `plugin new`. */
  readonly name: string;
  /** What follows the name, for help and completions. */
  readonly usage: string;
  readonly does: string;
  /** How many words follow the name. */
  readonly operands: number;
  run(
    operands: readonly string[],
    options: CommandOptions,
    context: CommandContext,
  ): Promise<number> | number;
}
