/**
 * "Quote it": tells whether a problem looks like quotes that are missing around
 * something that YAML reads for itself.
 *
 * @module
 */
import type { Path } from "./problem.ts";
import type { SyntaxFault, YamlSource } from "./yaml_source.ts";

const WORDS: ReadonlyMap<string, string> = new Map([
  ["when", "condition"],
  ["address", "address"],
  ["url", "URL"],
  ["hosts", "host"],
]);

/** What to quote where a value is not the text that its key wants, or undefined. */
export function quotingHintForValue(
  source: YamlSource,
  path: Path,
): string | undefined {
  const key = path.findLast((part) => typeof part === "string");
  if (key === undefined || source.style(path) !== "flow") return undefined;
  return `quote the ${WORDS.get(String(key)) ?? "value"}`;
}

/** What to quote where a key is unknown because a comma cut a condition in two, or undefined. */
export function quotingHintForKey(
  source: YamlSource,
  path: Path,
): string | undefined {
  const key = String(path.at(-1));
  const sibling = [...path.slice(0, -1), "when"];
  return /[()"|&]/.test(key) && source.style(sibling) === "plain"
    ? "quote the condition"
    : undefined;
}

/** What to quote where a condition does not parse, or undefined. */
export function quotingHintForCondition(
  source: YamlSource,
  path: Path,
  condition: string,
): string | undefined {
  if (source.style(path) !== "plain") return undefined;
  return isUnbalanced(condition) || source.isCut(path)
    ? "quote the condition"
    : undefined;
}

/** What to quote where the text is no YAML, or undefined. */
export function quotingHintForFault(
  source: YamlSource,
  fault: SyntaxFault,
): string | undefined {
  const line = source.line(fault.line);
  const condition = /(?:^|[\s{,-])when:\s+(\S.*)$/.exec(line)?.[1];
  if (condition !== undefined) {
    if (!/^['"]/.test(condition)) return "quote the condition";
    if (condition.startsWith('"') && /"[^"]*\([^"]*"/.test(condition)) {
      return "quote the condition in single quotes";
    }
    if (condition.startsWith("'")) return undefined;
  }
  const before = line.slice(0, fault.column - 1);
  if (/\baddress:\s+\[/.test(line)) return "quote the address";
  if (/\burl:\s+\[/.test(line)) return "quote the URL";
  if (/^\*\./.test(line.slice(fault.column - 1))) return "quote the host";
  if (/\$\{?$/.test(before) || /(^|[^'"])\$\{/.test(line)) {
    return "quote the value";
  }
  return /^[%@`!*&]/.test(line.slice(fault.column - 1))
    ? "quote the value"
    : undefined;
}

/** Whether quotes or parentheses of a condition are left open, or closed too often. */
export function isUnbalanced(condition: string): boolean {
  let depth = 0;
  let quote = "";
  for (let i = 0; i < condition.length; i++) {
    const char = condition.charAt(i);
    if (quote !== "") {
      if (char === "\\" && quote === '"') i++;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "`") quote = char;
    else if (char === "(") depth++;
    else if (char === ")" && --depth < 0) return true;
  }
  return depth !== 0 || quote !== "";
}
