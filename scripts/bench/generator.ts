/**
 * Runs the load generators of our own, each in a process of its own.
 *
 * @module
 */

/** Runs a module beside this one with a task; what it told. Throws where it failed. */
export async function generate<Task, Report>(
  module: "handshakes_main.ts" | "paced_main.ts",
  task: Task,
): Promise<Report> {
  const main = new URL(`./${module}`, import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, JSON.stringify(task)],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
