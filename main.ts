/**
 * Headrace: a programmable proxy and load balancer.
 *
 * From here a newcomer reads on in `core/cli/commands.ts` (what can be run),
 * `core/supervisor/supervisor.ts` (one process), `core/data_plane/data_plane.ts`
 * (one worker), `core/session/session.ts` (one connection),
 * `core/session/transaction.ts` (one request) and `core/callback_points.ts`
 * (where plugins come in).
 *
 * @module
 */
import { runCommand } from "./core/cli/commands.ts";
import { builtins } from "./plugins/mod.ts";

if (import.meta.main) {
  // Timers and sockets that a plugin leaves behind would keep the process.
  Deno.exit(await runCommand(Deno.args, { builtins }));
}
