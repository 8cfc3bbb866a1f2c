/**
 * What a process has cost so far, as Linux tells it.
 *
 * @module
 */

/** Ticks of /proc/PID/stat per second: USER_HZ, 100 on every Linux that Deno runs on. */
const TICKS = 100;

/** Seconds of CPU, of all threads, in user mode and in the kernel; steps of 10 ms. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The command's name may hold spaces: fields are counted behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Resident bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/** The process that does the work: the worker of one that starts workers, else itself. */
export async function workingPid(pid: number): Promise<number> {
  const children = `/proc/${pid}/task/${pid}/children`;
  const text = await Deno.readTextFile(children);
  const first = Number(text.trim().split(" ")[0]);
  return first > 0 ? first : pid;
}
