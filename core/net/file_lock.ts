/**
 * Locks of files (flock(2)), by whichever way this Deno has.
 *
 * @module
 */

/** How long Deno 2.4.2, which can only wait for a lock, waits for it, in milliseconds. */
const LOCK_TIME = 250;

/** Locks it; false where another has it. Deno 2.4.2 has no `tryLock`: there the file is to be closed after a false. */
export async function tryLock(file: Deno.FsFile): Promise<boolean> {
  if ("tryLock" in file) {
    const tryLock = file.tryLock as (exclusive: boolean) => Promise<boolean>;
    return await tryLock.call(file, true);
  }
  const locked = (file as Deno.FsFile).lock(true).then(() => true);
  // It may fail when its file is closed: nobody waits for it any more.
  locked.catch(() => {});
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), LOCK_TIME);
  try {
    return await Promise.race([locked, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
