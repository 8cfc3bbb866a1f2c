/**
 * From a request's path to a file below a root, and never to one beside it.
 *
 * @module
 */
import { join, relative } from "node:path";

/** The parts of a path, decoded; undefined for one that no file can have, or that tries to leave. */
export function pathParts(path: string): string[] | undefined {
  const parts: string[] = [];
  // An empty part within is no file's: `//private/a` would come to what a
  // condition on `/private/` guards. The first one and a folder's last are.
  if (path.includes("//")) return undefined;
  for (const raw of path.split("/")) {
    if (raw === "") continue;
    let part: string;
    try {
      part = decodeURIComponent(raw);
    } catch (error) {
      if (error instanceof URIError) return undefined;
      throw error;
    }
    // Decoded once: `%252e` is a file called `%2e`. A slash that was encoded
    // is none of the path's own, a backslash is one to some systems.
    // deno-lint-ignore no-control-regex
    if (part === "." || part === ".." || /[/\\\x00-\x1f\x7f]/.test(part)) {
      return undefined;
    }
    parts.push(part);
  }
  return parts;
}

/** What links may lead to: files below the root, nothing, or anything. */
export type LinkPolicy = "inside" | "never" | "any";

/** An open file. */
export interface OpenFile {
  readonly file: Deno.FsFile;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
}

/** What lies at a path. */
export type Found = OpenFile | "directory" | undefined;

/**
 * Opens the file of these parts. What is no regular file and what the policy
 * forbids is not there. `root` must be its own real path.
 */
export async function openBelow(
  root: string,
  parts: readonly string[],
  policy: LinkPolicy,
): Promise<Found> {
  const path = join(root, ...parts);
  try {
    // Opening a pipe would wait for its writer.
    const before = await Deno.stat(path);
    if (before.isDirectory) {
      return await isAllowed(root, path, policy, before)
        ? "directory"
        : undefined;
    }
    if (!before.isFile) return undefined;
    const file = await Deno.open(path);
    try {
      const info = await file.stat();
      if (!info.isFile || !await isAllowed(root, path, policy, info)) {
        file.close();
        return undefined;
      }
      return { file, size: info.size, modified: info.mtime?.getTime() ?? 0 };
    } catch (error) {
      file.close();
      throw error;
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether what is open already is what the links that are there now lead to, and that is allowed. */
async function isAllowed(
  root: string,
  path: string,
  policy: LinkPolicy,
  { dev, ino }: Deno.FileInfo,
): Promise<boolean> {
  if (policy === "any") return true;
  const real = await Deno.realPath(path);
  if (policy === "never" && real !== path) return false;
  if (real !== root && /^\.\.(?:$|[/\\])|^[/\\]/.test(relative(root, real))) {
    return false;
  }
  const now = await Deno.stat(real);
  return now.dev === dev && now.ino === ino;
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.FilesystemLoop ||
    // ENAMETOOLONG has no class of its own.
    (error instanceof Error && /name too long/i.test(error.message));
}
