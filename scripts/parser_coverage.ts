/**
 * Runs the tests of the HTTP/1.1 parser under coverage and fails where a line or
 * a branch of the parser's files is not reached, naming it: `deno task cover`.
 *
 * @module
 */
import { readOptions } from "./options.ts";

const FOLDER = "core/http1/";
/** What takes a message apart; connections, bodies and writers have tests of their own kind. */
const PARSER_FILES = [
  "chars.ts",
  "chunk_decoder.ts",
  "chunk_line.ts",
  "connection_options.ts",
  "framing.ts",
  "head_errors.ts",
  "head_index.ts",
  "host.ts",
  "known_fields.ts",
  "request_head.ts",
  "request_line.ts",
  "request_parser.ts",
  "request_target.ts",
  "response_head.ts",
  "response_parser.ts",
  "scan_fields.ts",
  "skip_value.ts",
  "status_line.ts",
  "text.ts",
  "trailer_section.ts",
];
const TESTS = ["tests/core/http1", "tests/conformance"];

/** A file's lines and branches; those that no test reached by their line. */
interface FileCoverage {
  readonly lines: number;
  readonly branches: number;
  readonly missedLines: readonly number[];
  readonly missedBranches: readonly number[];
}

readOptions({
  task: "cover",
  does: "Runs the tests of the HTTP/1.1 parser under coverage, and names the " +
    "lines and branches that none of them reaches. Ends with 1 where there " +
    "are some.",
  options: {},
  example: "",
});

const directory = await Deno.makeTempDir({ prefix: "headrace-coverage-" });
try {
  await run([
    "test",
    "-A",
    "--frozen",
    "--quiet",
    `--coverage=${directory}`,
    ...TESTS,
  ]);
  const report = `${directory}/parser.lcov`;
  await run(["coverage", "--quiet", "--lcov", `--output=${report}`, directory]);
  const coverage = parseLcov(await Deno.readTextFile(report));
  Deno.exitCode = print(coverage) ? 0 : 1;
} finally {
  await Deno.remove(directory, { recursive: true });
}

/** Runs deno; what fails there fails here. */
async function run(args: readonly string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
  }).output();
  if (success) return;
  await Deno.stderr.write(stdout);
  await Deno.stderr.write(stderr);
  throw new Error(`deno ${args[0]} failed`);
}

/** The records of the parser's files, by name. */
function parseLcov(text: string): Map<string, FileCoverage> {
  const files = new Map<string, FileCoverage>();
  for (const record of text.split("end_of_record")) {
    const path = /^SF:(.*)$/m.exec(record)?.[1]?.replaceAll("\\", "/") ?? "";
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (!path.endsWith(FOLDER + name) || !PARSER_FILES.includes(name)) continue;
    const lines = numbers(record, /^DA:(\d+),(\d+)/gm);
    const branches = numbers(record, /^BRDA:(\d+),\d+,\d+,(\d+|-)/gm);
    files.set(name, {
      lines: lines.length,
      branches: branches.length,
      missedLines: missed(lines),
      missedBranches: missed(branches),
    });
  }
  return files;
}

/** Line and count of each match; `-`, never asked for, is NaN. */
function numbers(text: string, pattern: RegExp): [number, number][] {
  return Array.from(
    text.matchAll(pattern),
    ([, line, count]) => [Number(line), Number(count)],
  );
}

function missed(counts: readonly (readonly [number, number])[]): number[] {
  return counts.filter(([, count]) => !(count > 0)).map(([line]) => line);
}

/** Whether all is covered. */
function print(files: ReadonlyMap<string, FileCoverage>): boolean {
  const problems: string[] = [];
  for (const name of PARSER_FILES) {
    const file = files.get(name);
    if (file === undefined) {
      problems.push(`${FOLDER}${name}: no test loads it`);
      continue;
    }
    const { lines, branches, missedLines, missedBranches } = file;
    console.log(
      `${name.padEnd(24)} lines ${share(lines, missedLines)}, branches ${
        share(branches, missedBranches)
      }`,
    );
    for (const line of missedLines) {
      problems.push(`${FOLDER}${name}:${line}: the line is not reached`);
    }
    for (const line of missedBranches) {
      problems.push(`${FOLDER}${name}:${line}: a branch is not reached`);
    }
  }
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
}

function share(all: number, missed: readonly number[]): string {
  return `${all - missed.length}/${all}`.padStart(7);
}
