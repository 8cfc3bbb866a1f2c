/**
 * GETs by wrk, as many as it can or at a pace.
 *
 * @module
 */

/** What came of them. */
export interface Driven {
  readonly requests: number;
  readonly perSecond: number;
  /** Socket errors, by wrk's words. */
  readonly socketErrors: string;
  /** Answers other than 2xx and 3xx. */
  readonly badAnswers: number;
  /** GETs that got no good answer. */
  readonly failed: number;
  /** The slowest answer, as wrk writes it. */
  readonly slowest: string;
}

/** How they are sent. */
export interface Drive {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  /** Milliseconds that each connection waits before its next GET; left out = none. */
  readonly pause?: number;
}

/** Sends GETs. */
export async function drive(
  { port, seconds, connections, pause }: Drive,
): Promise<Driven> {
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  try {
    // Half a pause to one and a half: connections must not march in step.
    await Deno.writeTextFile(
      script,
      pause === undefined
        ? ""
        : `function delay() return math.random(${Math.floor(pause / 2)}, ${
          Math.ceil(pause * 1.5)
        }) end`,
    );
    const { stdout, success } = await new Deno.Command("wrk", {
      args: [
        ...["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s"],
        ...["-s", script, `http://127.0.0.1:${port}/`],
      ],
    }).output();
    const text = new TextDecoder().decode(stdout);
    if (!success) throw new Error(`wrk failed:\n${text}`);
    return read(text, seconds);
  } finally {
    await Deno.remove(script);
  }
}

function read(text: string, seconds: number): Driven {
  const requests = Number(/(\d+) requests in/.exec(text)![1]);
  const badAnswers = Number(
    /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0,
  );
  const socketErrors = /Socket errors: (.*)/.exec(text)?.[1] ?? "none";
  const sum = (socketErrors.match(/\d+/g) ?? [])
    .reduce((sum, count) => sum + Number(count), 0);
  return {
    requests,
    perSecond: requests / seconds,
    badAnswers,
    socketErrors,
    failed: badAnswers + sum,
    slowest: /Latency\s+\S+\s+\S+\s+(\S+)/.exec(text)![1]!,
  };
}
