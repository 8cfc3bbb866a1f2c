/**
 * The folder of what processes of one user have to know of each other: locks of
 * addresses, and sockets to talk over.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";

/**
 * The folder: `HEADRACE_RUN_DIR`, else `run` in the folder that systemd made for
 * a service (`RUNTIME_DIRECTORY`), `headrace` in `XDG_RUNTIME_DIR`, for root
 * `/run/headrace`, else `headrace-UID` where temporary files go.
 */
export function defaultRunDir(
  env: { get(name: string): string | undefined },
  uid: number | null = Deno.uid(),
): string {
  const chosen = env.get("HEADRACE_RUN_DIR");
  if (chosen) return chosen;
  const [service] = env.get("RUNTIME_DIRECTORY")?.split(":") ?? [];
  if (service) return join(service, "run");
  const runtime = env.get("XDG_RUNTIME_DIR");
  if (runtime && isAbsolute(runtime)) return join(runtime, "headrace");
  if (uid === 0) return "/run/headrace";
  return join(env.get("TMPDIR") || "/tmp", `headrace-${uid ?? "user"}`);
}

/**
 * Makes it, for its owner alone. Throws where it can't be had, or is another
 * user's: who may write there could have addresses handed over.
 */
export async function makeRunDir(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const { isDirectory, uid, mode } = await Deno.lstat(folder);
  const ours = uid === null || uid === Deno.uid();
  if (!isDirectory || !ours || ((mode ?? 0) & 0o022) !== 0) {
    throw new Error(
      `${folder} must be a folder of this user that no other may write to`,
    );
  }
}
