/**
 * What a command is.
 *
 * @module
 */
import type { Plugin } from "../plugin.ts";

/** Exit codes (design.md §5). */
export const EXIT = { ok: 0, refused: 1, usage: 2 } as const;

/** What commands get from the entry. */
export interface CommandContext {
  readonly builtins: ReadonlyMap<string, Plugin>;
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
}

/** A command. */
export interface Command {
  readonly name: string;
  /** What follows the name, for help. */
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
