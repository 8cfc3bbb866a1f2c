/**
 * `headrace explain FILE URL`.
 *
 * @module
 */
import { jsonText } from "../admin/answer.ts";
import { DescriptionError } from "../explain/described_request.ts";
import { printExplanation } from "../explain/print.ts";
import { type CommandContext, type CommandOptions, EXIT } from "./command.ts";
import { tryConfig } from "./try_config.ts";

/** Tells which way a request would take through a config, and why; no handler runs, nothing is bound. */
export async function explainRequest(
  path: string,
  url: string,
  options: CommandOptions,
  context: CommandContext,
): Promise<number> {
  const headers: [string, string][] = [];
  for (const line of options.header ?? []) {
    const field = splitField(line);
    if (field === undefined) {
      console.error(
        `-H must be 'name: value': current value is ${JSON.stringify(line)}`,
      );
      return EXIT.usage;
    }
    headers.push(field);
  }
  const { request: method, data: body, client, listener, json } = options;
  const described = { url, method, headers, body, client, listener };
  try {
    return await tryConfig(path, context, async (plane, candidate) => {
      const explanation = await plane.checkAndExplain(candidate, described);
      console.log(
        json ? jsonText(explanation) : printExplanation(explanation),
      );
    });
  } catch (thrown) {
    if (!(thrown instanceof DescriptionError)) throw thrown;
    console.error(thrown.message);
    return EXIT.usage;
  }
}

/** `name: value`, as curl takes it; undefined without a colon. */
function splitField(line: string): [string, string] | undefined {
  const colon = line.indexOf(":");
  return colon < 0
    ? undefined
    : [line.slice(0, colon), line.slice(colon + 1).trim()];
}
