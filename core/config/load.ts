/**
 * Loads a config file: text in, a checked config or all its problems out.
 *
 * @module
 */
import {
  addressFindings,
  adminFindings,
  listenerFindings,
} from "./check_listeners.ts";
import { cacheDiskFindings, withCachePath } from "./check_cache.ts";
import { conditionFindings } from "./check_conditions.ts";
import type { CheckCondition } from "./check_conditions.ts";
import { dialerFindings } from "./check_dialers.ts";
import { addressIdFindings } from "./check_dns.ts";
import { healthFindings } from "./check_health.ts";
import { ioFindings } from "./check_io.ts";
import {
  danglingFindings,
  duplicateFindings,
  idleHashFindings,
} from "./check_names.ts";
import { pluginFindings } from "./check_plugins.ts";
import {
  checkListenerTls,
  type ListenerFiles,
  type ListenerTlsCheck,
} from "./check_listener_tls.ts";
import { clusterFindings, productFindings } from "./check_rules.ts";
import { websocketFindings } from "./check_websocket.ts";
import type { Config } from "./config.ts";
import { expand } from "./expand.ts";
import type { Expanded } from "./expand.ts";
import type { Finding, Problem } from "./problem.ts";
import { formatPath } from "./problem.ts";
import { quotingHintForCondition } from "./quoting.ts";
import { reportFindings, reportSyntax, sortByPlace } from "./report.ts";
import { applySchema } from "./schema_findings.ts";
import { readTlsFiles, withTlsFiles } from "./tls_files.ts";
import {
  looksSuspicious,
  octalFindings,
  onlyDuplicateKeys,
  syntaxFindings,
  tabFindings,
  typeFindings,
} from "./syntax.ts";

import { parseYaml } from "./yaml.ts";
import { YamlSource } from "./yaml_source.ts";

/** A config file and what it may draw on. */
export interface ConfigSource {
  /** Its path: for messages, and what the files that it names are relative to. */
  readonly path: string;
  readonly text: string;
  /** The environment variable, undefined where it is not set. */
  readonly env: (name: string) => string | undefined;
  /** Reads a file that the config names, by default with `Deno.readTextFile`. */
  readonly readFile?: (path: string) => Promise<string>;
}

/** What a load may be told. */
export interface LoadOptions {
  /** What is wrong with a condition's text; without it only quotes and parentheses are checked. */
  readonly checkCondition?: CheckCondition;
  /** Milliseconds since the epoch, for what expires; by default the machine's. */
  readonly now?: number;
}

/** The config, or all its problems in the order of the file. */
export type LoadResult =
  | LoadedConfig
  | { readonly config: undefined; readonly problems: readonly Problem[] };

/** A config without problems. */
export interface LoadedConfig {
  readonly config: Config;
  readonly problems: readonly [];
  /** What works but should not stay so, in the order of the file. */
  readonly warnings: readonly Problem[];
  /** What the files that `tls` names hold. */
  readonly files: ListenerFiles;
}

/** Loads a config. Never rejects for what the file holds. */
export async function loadConfig(
  source: ConfigSource,
  options: LoadOptions = {},
): Promise<LoadResult> {
  const parsed = await parse(source);
  if (parsed.fatal) return { config: undefined, problems: parsed.problems };
  const read = (path: string) => readFile(source, path);
  const expanded = await expand(parsed.tree, {
    env: source.env,
    readFile: read,
  });
  const tls = await checkListenerTls(expanded.value, {
    readFile: read,
    now: options.now ?? Date.now(),
  });
  const { config, findings } = await check(source, expanded, tls, options);
  const report = async (found: readonly Finding[]) =>
    found.length === 0
      ? []
      : await reportFindings(source, found, expanded.origins);
  if (config !== undefined && parsed.problems.length === 0) {
    const warnings = await report(tls.warnings);
    return { config, problems: [], warnings, files: tls.files };
  }
  const reported = await report(findings);
  return {
    config: undefined,
    problems: sortByPlace([...parsed.problems, ...reported]),
  };
}

interface Parsed {
  readonly tree: unknown;
  readonly problems: readonly Problem[];
  /** Whether the tree is too broken for checks to make sense. */
  readonly fatal: boolean;
}

async function parse(file: ConfigSource): Promise<Parsed> {
  const parsed = parseYaml(file.text);
  if (parsed.error !== undefined) {
    const source = await YamlSource.read(file.text);
    const problems = reportSyntax(file, syntaxFindings(source, parsed.error));
    const lenient = onlyDuplicateKeys(source)
      ? parseYaml(file.text, { allowDuplicateKeys: true })
      : parsed;
    return lenient.error === undefined
      ? { tree: lenient.value, problems, fatal: false }
      : { tree: undefined, problems, fatal: true };
  }
  const message = shapeProblem(parsed.value);
  const problems = message === undefined
    ? await tabProblems(file)
    : [{ file: file.path, line: 1, column: 1, path: "", message }];
  return { tree: parsed.value, problems, fatal: problems.length > 0 };
}

function shapeProblem(tree: unknown): string | undefined {
  if (tree === null || tree === undefined) {
    return "the file is empty: expected a mapping with listeners: and clusters:";
  }
  return typeof tree !== "object" || Array.isArray(tree)
    ? "expected a mapping with listeners: and clusters: at the top of the file"
    : undefined;
}

async function tabProblems(file: ConfigSource): Promise<readonly Problem[]> {
  if (!looksSuspicious(file.text)) return [];
  return reportSyntax(file, tabFindings(await YamlSource.read(file.text)));
}

/** The config of a tree, or what is wrong with it. */
export interface Checked {
  readonly config: Config | undefined;
  readonly findings: readonly Finding[];
}

/** Judges a tree that stands in no file, and names none, as one that does; nothing is expanded in it. */
export async function checkTree(tree: unknown): Promise<Checked> {
  const readFile = () => Promise.reject(new Error("No file is read here"));
  const file = { path: "", text: "", env: () => undefined, readFile };
  const expanded = { value: tree, findings: [], origins: new Map() };
  const tls = await checkListenerTls(tree, { readFile, now: 0 });
  return await check(file, expanded, tls, {});
}

async function check(
  file: ConfigSource,
  expanded: Expanded,
  tls: ListenerTlsCheck,
  options: LoadOptions,
): Promise<Checked> {
  const tree = expanded.value;
  const files = await readTlsFiles(tree, (path) => readFile(file, path));
  // Where one of these is, whatever else is said of the value is its shadow.
  const basic = [
    ...expanded.findings,
    ...typeFindings(tree),
    ...(looksSuspicious(file.text)
      ? octalFindings(await YamlSource.read(file.text))
      : []),
  ];
  const { config, findings: misfits } = applySchema(tree);
  const relations = [
    ...duplicateFindings(tree),
    ...danglingFindings(tree),
    ...idleHashFindings(tree),
    ...addressIdFindings(tree),
    ...listenerFindings(tree),
    ...addressFindings(tree),
    ...adminFindings(tree),
    ...productFindings(tree),
    ...clusterFindings(tree),
    ...dialerFindings(tree),
    ...websocketFindings(tree),
    ...healthFindings(tree),
    ...ioFindings(tree),
    ...files.findings,
    ...pluginFindings(tree),
    ...tls.findings,
    ...await conditions(file, tree, options),
    ...await cacheDiskFindings(tree, (path) => resolvePath(path, file.path)),
  ];
  const findings = [...basic, ...without([...misfits, ...relations], basic)];
  if (config === undefined || findings.length > 0) {
    return { config: undefined, findings };
  }
  return {
    config: withCachePath(
      withProduct(withTlsFiles(config, files)),
      (path) => resolvePath(path, file.path),
    ),
    findings: [],
  };
}

async function conditions(
  file: ConfigSource,
  tree: unknown,
  options: LoadOptions,
): Promise<Finding[]> {
  const findings = conditionFindings(tree, options.checkCondition);
  if (findings.length === 0) return [];
  const source = await YamlSource.read(file.text);
  return findings.map((finding) => {
    const { path, value, message } = finding;
    const hint = quotingHintForCondition(source, path, String(value));
    return hint === undefined
      ? finding
      : { ...finding, message: `${message}: ${hint}` };
  });
}

/** The findings whose paths have none among the others. */
function without(
  findings: readonly Finding[],
  others: readonly Finding[],
): Finding[] {
  const paths = new Set(others.map(({ path }) => formatPath(path)));
  return findings.filter(({ path }) => !paths.has(formatPath(path)));
}

/** A file with one cluster needs no products: all requests go to it. */
function withProduct(config: Config): Config {
  const [cluster] = config.clusters;
  if (
    config.products.length > 0 || cluster === undefined ||
    !config.listeners.some(({ protocol }) => protocol === "http")
  ) return config;
  return {
    ...config,
    products: [{
      name: "default",
      hosts: [],
      default: true,
      rules: [{
        when: undefined,
        cluster: cluster.name,
        timeouts: { response: undefined },
      }],
    }],
  };
}

function readFile(source: ConfigSource, path: string): Promise<string> {
  return (source.readFile ?? Deno.readTextFile)(
    resolvePath(path, source.path),
  );
}

/** Where a path of a config leads: relative to the config file's folder. */
export function resolvePath(path: string, configPath: string): string {
  if (/^([/\\]|[a-zA-Z]:)/.test(path)) return path;
  const folder = configPath.replace(/[^/\\]*$/, "");
  return folder + path;
}
