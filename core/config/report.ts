/**
 * Turns findings into problems: finds their lines, hides secrets, adds "quote
 * it" where that is the reason, and puts them in the order of the file.
 *
 * @module
 */
import type { Finding, Problem } from "./problem.ts";
import { formatPath } from "./problem.ts";
import { quotingHintForKey, quotingHintForValue } from "./quoting.ts";
import type { SyntaxFinding } from "./syntax.ts";
import { YamlSource } from "./yaml_source.ts";

/** The file that is reported on. */
export interface ReportedFile {
  /** Its name as it is shown. */
  readonly path: string;
  readonly text: string;
}

/** Values of these paths are never shown: `admin: TOKEN` is a likely slip. */
const SECRET_PATHS: readonly string[] = ["admin", "admin.token"];

const NOTHING_EXPANDED: ReadonlyMap<string, string> = new Map();

/**
 * The problems for findings of the file, in its order. `origins` tells the text
 * of values that were expanded: it is shown in place of the value. Also for
 * findings of later checks (a plugin that can't be loaded).
 */
export async function reportFindings(
  file: ReportedFile,
  findings: readonly Finding[],
  origins: ReadonlyMap<string, string> = NOTHING_EXPANDED,
): Promise<Problem[]> {
  const source = await YamlSource.read(file.text);
  return sortByPlace(findings.map((finding) => {
    const { path, at = "value", message } = finding;
    return {
      file: file.path,
      ...source.position(path, at),
      path: formatPath(path),
      message: withHint(source, finding, message),
      ...shown(finding, origins),
    };
  }));
}

/** The problems for findings of the text that have no path. */
export function reportSyntax(
  file: ReportedFile,
  findings: readonly SyntaxFinding[],
): Problem[] {
  return findings.map(({ line, column, message }) => ({
    file: file.path,
    line,
    column,
    path: "",
    message,
  }));
}

/** In the order of the file; of one place in the order in which they were found. */
export function sortByPlace(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) =>
    (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
  );
}

function shown(
  finding: Finding,
  origins: ReadonlyMap<string, string>,
): Pick<Problem, "value" | "suggestion"> {
  const { path, value, suggestion } = finding;
  const written = formatPath(path);
  if (SECRET_PATHS.includes(written)) return {};
  const origin = origins.get(written);
  if (origin !== undefined) return value === undefined ? {} : { value: origin };
  return {
    ...(value !== undefined && { value }),
    ...(suggestion !== undefined && { suggestion }),
  };
}

function withHint(
  source: YamlSource,
  { at, path, wantsScalar }: Finding,
  message: string,
): string {
  const hint = at === "key"
    ? quotingHintForKey(source, path)
    : wantsScalar
    ? quotingHintForValue(source, path)
    : undefined;
  return hint === undefined ? message : `${message}: ${hint}`;
}
