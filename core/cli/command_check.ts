/**
 * `headrace check FILE`.
 *
 * @module
 */
import type { CommandContext } from "./command.ts";
import { tryConfig } from "./try_config.ts";

/** Loads everything that a start would load, and binds nothing. */
export function checkConfig(
  path: string,
  context: CommandContext,
): Promise<number> {
  return tryConfig(path, context, async (plane, candidate) => {
    await plane.check(candidate);
    console.log(`${path}: fine`);
  });
}
