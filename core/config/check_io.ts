/**
 * Whether this runtime has what `io` asks for.
 *
 * @module
 */
import { directIoProblem } from "../net/direct_conn.ts";
import type { Finding } from "./problem.ts";
import { root, textAt } from "./tree.ts";

/** `io: direct` where it can't be had. */
export function ioFindings(tree: unknown, runtime: object = Deno): Finding[] {
  const io = textAt(root(tree), "io");
  if (io?.value !== "direct") return [];
  const problem = directIoProblem(runtime);
  if (problem === undefined) return [];
  return [{ ...io, message: `expected standard: ${problem}` }];
}
