/**
 * wrk with requests that are given byte by byte.
 *
 * @module
 */

/** What it is to do. */
export interface Drive {
  readonly url: string;
  /** The file that holds the request. */
  readonly request: string;
  readonly connections: number;
  /** A whole number of them. */
  readonly seconds: number;
}

/** What it counted. */
export interface Driven {
  readonly seconds: number;
  /** Answers that came whole. */
  readonly requests: number;
  /** Bytes of answers, heads and unfinished ones too. */
  readonly bytes: number;
  /** Kinds of failures with their counts, those that occurred. */
  readonly failures: Readonly<Record<string, number>>;
}

const SCRIPT = new URL("./wrk.lua", import.meta.url).pathname;

/** Runs it with one thread. */
export async function drive(
  { url, request, connections, seconds }: Drive,
): Promise<Driven> {
  const { stdout, stderr } = await new Deno.Command("wrk", {
    args: [
      "-t1",
      `-c${connections}`,
      `-d${Math.ceil(seconds)}s`,
      // Two large bodies at once on a busy machine take their time.
      "--timeout=30s",
      `-s${SCRIPT}`,
      url,
      "--",
      request,
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const counted = /^counted (.*)$/m.exec(text)?.[1];
  if (counted === undefined) {
    throw new Error(
      `wrk told nothing: ${text}${new TextDecoder().decode(stderr)}`,
    );
  }
  const [duration, requests, bytes, ...counts] = counted.split(" ").map(Number);
  const failures: Record<string, number> = {};
  ["connect", "read", "write", "status", "timeout"].forEach((kind, i) => {
    if (counts[i]! > 0) failures[kind] = counts[i]!;
  });
  return {
    seconds: duration! / 1e6,
    requests: requests!,
    bytes: bytes!,
    failures,
  };
}
