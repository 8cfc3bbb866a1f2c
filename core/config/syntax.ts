/**
 * What is wrong with the text as YAML: errors, and what YAML 1.2's readers take
 * silently though it rarely means what was written.
 *
 * @module
 */
import type { Finding, Path } from "./problem.ts";
import { quotingHintForFault } from "./quoting.ts";
import type { Position, SyntaxFault, YamlSource } from "./yaml_source.ts";

/** A problem of the text, with its position. */
export interface SyntaxFinding extends Position {
  readonly message: string;
}

/** Own words by npm `yaml`'s codes: they must not repeat what may be a secret. */
const MESSAGES: ReadonlyMap<string, string> = new Map([
  ["TAB_AS_INDENT", "expected spaces: YAML can't be indented with tabs"],
  ["MULTIPLE_DOCS", "expected one YAML document: remove the line ---"],
  ["BAD_INDENT", "bad indentation, or a bracket that is not closed"],
  [
    "BAD_ALIAS",
    "a plain * begins an alias of YAML, and no anchor has this name",
  ],
  ["UNKNOWN_TAG", "a plain ! begins a tag of YAML, and this one is not known"],
  [
    "BLOCK_AS_IMPLICIT_KEY",
    "a colon and a space begin a mapping, which can't stand here",
  ],
  [
    "BAD_SCALAR_START",
    "a plain value can't begin with this character",
  ],
  ["UNEXPECTED_TOKEN", "this can't stand here"],
]);

/**
 * The problems of a text that `@std/yaml` refused with the error, at most one a
 * line: what follows on the same line is mostly the first one's shadow.
 */
export function syntaxFindings(
  source: YamlSource,
  error: Error,
): SyntaxFinding[] {
  const findings: SyntaxFinding[] = [];
  for (const fault of source.faults()) {
    if (findings.at(-1)?.line === fault.line) continue;
    findings.push({
      line: fault.line,
      column: fault.column,
      message: withHint(describe(source, fault), source, fault),
    });
  }
  return findings.length > 0 ? findings : [fromError(source, error)];
}

/** Whether nothing but keys that stand twice is wrong: the rest can still be checked. */
export function onlyDuplicateKeys(source: YamlSource): boolean {
  const faults = source.faults();
  return faults.length > 0 &&
    faults.every(({ code }) => code === "DUPLICATE_KEY");
}

/** Whether the text may hold what `@std/yaml` takes silently: worth a second reading. */
export function looksSuspicious(text: string): boolean {
  return /^ *\t/m.test(text) ||
    /[\s:,[{-][-+]?0o?[0-7_]+(?=[\s,\]}]|$)/.test(text);
}

/** Tabs that indent: `@std/yaml` reads `a:`, tab, `b: 1` as two keys side by side. */
export function tabFindings(source: YamlSource): SyntaxFinding[] {
  const findings: SyntaxFinding[] = [];
  for (const fault of source.faults()) {
    if (fault.code !== "TAB_AS_INDENT") continue;
    if (findings.at(-1)?.line === fault.line) continue;
    const { line, column } = fault;
    findings.push({ line, column, message: describe(source, fault) });
  }
  return findings;
}

/** Numbers like 0644 (octal in YAML 1.1, so `@std/yaml` reads 420) and 0o644 (in YAML 1.2). */
export function octalFindings(source: YamlSource): Finding[] {
  return source.plainScalars()
    .filter(({ source }) => /^[-+]?0o?[0-7_]+$/.test(source))
    .map(({ path }) => ({
      path,
      message:
        "expected a number without leading zeros, or text in quotes: YAML reads an octal number here",
    }));
}

/** Values that YAML made of text where no key of the config can want them: dates and bytes. */
export function typeFindings(tree: unknown): Finding[] {
  const findings: Finding[] = [];
  const walk = (value: unknown, path: Path): void => {
    if (value instanceof Date) {
      const message = "YAML reads a date here: quote it to make it text";
      findings.push({ path, message });
    } else if (value instanceof Uint8Array) {
      findings.push({ path, message: "expected no !!binary value" });
    } else if (Array.isArray(value)) {
      value.forEach((item, index) => walk(item, [...path, index]));
    } else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        walk(item, [...path, key]);
      }
    }
  };
  walk(tree, []);
  return findings;
}

function describe(source: YamlSource, fault: SyntaxFault): string {
  if (fault.code === "DUPLICATE_KEY") {
    const rest = source.line(fault.line).slice(fault.column - 1);
    const key = /^["']?([\w.-]+)/.exec(rest)?.[1];
    return key === undefined
      ? "a key stands twice in this mapping"
      : `the key ${key} stands twice in this mapping`;
  }
  if (fault.code === "BAD_INDENT" && /must be|end with/.test(fault.message)) {
    return MESSAGES.get(fault.code) ?? fault.message;
  }
  // Behind a colon npm `yaml` quotes the text, which may hold a secret.
  const plain = fault.message.split(":")[0] ?? "";
  return MESSAGES.get(fault.code) ??
    plain.charAt(0).toLowerCase() + plain.slice(1);
}

function withHint(
  message: string,
  source: YamlSource,
  fault: SyntaxFault,
): string {
  const hint = quotingHintForFault(source, fault);
  return hint === undefined ? message : `${message}: ${hint}`;
}

/** What only `@std/yaml` refuses; behind `at line` it draws the line, which may hold a secret. */
function fromError(source: YamlSource, error: Error): SyntaxFinding {
  const [, reason = "", line = "1", column = "1"] =
    /^(.*?)(?: at line (\d+), column (\d+))?(?::?\n|$)/.exec(error.message) ??
      [];
  const fault = {
    code: "",
    message: "",
    line: Number(line),
    column: Number(column),
  };
  const plain = reason.replace(/"[^"]*"/g, "…");
  return {
    line: fault.line,
    column: fault.column,
    message: withHint(`cannot read YAML: ${plain}`, source, fault),
  };
}
