/**
 * `headrace compile`.
 *
 * @module
 */
import { type Compiled, compileExecutable } from "../compile/compile.ts";
import { PermissionError } from "../compile/permissions.ts";
import { CompileError } from "../compile/run_deno.ts";
import { RefusedError } from "../data_plane/control.ts";
import { type CommandContext, type CommandOptions, EXIT } from "./command.ts";
import { configFile, startLog, supervisorOptions } from "./config_file.ts";
import { pluginRows } from "./command_plugins.ts";

/** Makes an executable of core and a config's plugins; without a config of core alone. */
export async function compile(
  output: string,
  { config, target, allow = [] }: CommandOptions,
  context: CommandContext,
): Promise<number> {
  const log = startLog();
  try {
    const load = config === undefined ? undefined : {
      ...supervisorOptions(configFile(config), log, context),
      builtins: new Set(context.builtins.keys()),
    };
    console.log(
      report(await compileExecutable({ load, output, target, allow })),
    );
    return EXIT.ok;
  } catch (thrown) {
    if (thrown instanceof PermissionError) {
      console.error(thrown.message);
      return EXIT.usage;
    }
    if (thrown instanceof RefusedError) {
      for (const problem of thrown.problems) console.error(problem);
    } else if (thrown instanceof CompileError) {
      console.error(thrown.message);
    } else {
      throw thrown;
    }
    return EXIT.refused;
  } finally {
    await log.flush();
  }
}

function report(
  { output, size, plugins, permissions }: Compiled,
): string {
  return [
    `${output}: ${(size / 2 ** 20).toFixed(1)} MiB`,
    `permissions: ${permissions.join(" ")}`,
    plugins.length === 0 ? "no plugins but the built-in ones" : "plugins:",
    ...pluginRows(plugins),
  ].join("\n");
}
