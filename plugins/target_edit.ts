/**
 * Changes of a request's path and query, as `redirect` and `rewrite` share them.
 *
 * @module
 */
import { z } from "zod";
import type { HttpRequest, PluginContext } from "../core/plugin.ts";
import { compileOption } from "./compile_option.ts";
import { compileTemplate, type ValueSource } from "./template.ts";

const path = z.string().regex(/^\//, "Expected a path that begins with /");
const name = z.string().min(1);

/** Options of a change; those left out change nothing. */
export const TARGET_EDITS = {
  path: path.optional().describe("The path instead, with variables"),
  stripPrefix: path.optional().describe(
    "What the path loses at its begin; the rule does not match where it has another",
  ),
  pathReplace: z.strictObject({
    pattern: z.string().min(1).describe(
      "A regular expression in RE2's syntax, matched against the path with its escapes; the rule does not match where it doesn't",
    ),
    with: z.string().describe(
      "What stands in place of all matches: $1 is a group, $0 the match, $$ a dollar sign",
    ),
  }).optional().describe("Parts of the path that are replaced"),
  addPrefix: path.optional().describe("What the path gets at its begin"),
  query: z.string().regex(/^[^?#]*$/, "Expected a query without ? and #")
    .optional().describe("The query instead, with variables; empty for none"),
  queryKeep: z.array(name).optional().describe(
    "Parameters that stay, all others go",
  ),
  queryRemove: z.array(name).optional().describe("Parameters that go"),
  queryRename: z.record(name, name).optional().describe(
    "New names of parameters by their old ones",
  ),
  querySet: z.record(name, z.string()).optional().describe(
    "Values by name, with variables, each in place of all parameters of that name",
  ),
};

const Edits = z.strictObject(TARGET_EDITS);

/** Checked options of a change. */
export type TargetEditOptions = z.output<typeof Edits>;

/** A path and a query without its question mark. */
export interface Target {
  readonly path: string;
  readonly query: string;
}

/** Makes the target of a request; undefined where it is none that the change is for. */
export type TargetEdit = (request: HttpRequest) => Target | undefined;

/** Compiles a change; `at` is the path of its options, for what they throw. */
export function compileTargetEdit(
  options: TargetEditOptions,
  context: PluginContext<unknown>,
  at: string,
): TargetEdit {
  const editPath = compilePathEdit(options, context, at);
  const editQuery = compileQueryEdit(options, context, at);
  return (request) => {
    const path = editPath(request);
    return path === undefined
      ? undefined
      : { path: oneSlash(path), query: editQuery(request) };
  };
}

/** `//host` and `/\host` name another host to a browser: a path begins with one slash. */
function oneSlash(path: string): string {
  return /^[/\\]{2}/.test(path) ? path.replace(/^[/\\]+/, "/") : path;
}

function compilePathEdit(
  { path, stripPrefix, pathReplace, addPrefix }: TargetEditOptions,
  context: PluginContext<unknown>,
  at: string,
): (request: HttpRequest) => string | undefined {
  const template = path === undefined ? undefined : compileOption(
    `${at}.path`,
    () => compileTemplate(path, "request", context, pathPart),
  );
  const replace = pathReplace && compileOption(`${at}.pathReplace`, () => {
    const compiled = context.pattern(pathReplace.pattern);
    return { compiled, with: compiled.replacer(pathReplace.with) };
  });
  return (request) => {
    // OPTIONS asks for the whole server: there is no path to change.
    if (request.target === "*") return undefined;
    let edited = template === undefined
      ? request.path
      : encoded(template.render(request));
    if (stripPrefix !== undefined) {
      const rest = behindPrefix(edited, stripPrefix);
      if (rest === undefined) return undefined;
      edited = rest;
    }
    if (replace !== undefined) {
      if (!replace.compiled.test(edited)) return undefined;
      const replaced = encoded(replace.with(edited));
      edited = replaced.startsWith("/") ? replaced : `/${replaced}`;
    }
    return addPrefix === undefined
      ? edited
      : `${encoded(addPrefix).replace(/\/$/, "")}${edited}`;
  };
}

/** `/a/b` behind `/a` is `/b`; `/ab` is not behind it. */
function behindPrefix(path: string, prefix: string): string | undefined {
  if (!path.startsWith(prefix)) return undefined;
  const rest = path.slice(prefix.length);
  if (prefix.endsWith("/")) return `/${rest}`;
  return rest === "" ? "/" : rest.startsWith("/") ? rest : undefined;
}

/** What a client chose stays within its segment, and is no way up. */
function pathPart(value: string, source: ValueSource): string {
  if (source === "target") return value.replace(/\?.*/s, "");
  return value === "." || value === ".." ? "" : encodeURIComponent(
    value.toWellFormed(),
  );
}

/** Percent-encodes what no path may hold (RFC 3986 §3.3); what is encoded stays. */
function encoded(path: string): string {
  return path.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]+/g,
    (text) => encodeURIComponent(text.toWellFormed()),
  );
}

function compileQueryEdit(
  options: TargetEditOptions,
  context: PluginContext<unknown>,
  at: string,
): (request: HttpRequest) => string {
  const { query, queryKeep, queryRemove, queryRename } = options;
  const compile = (key: string, text: string) =>
    compileOption(
      `${at}.${key}`,
      () => compileTemplate(text, "request", context, queryPart),
    );
  const template = query === undefined ? undefined : compile("query", query);
  const keep = queryKeep && new Set(queryKeep);
  const remove = queryRemove && new Set(queryRemove);
  const rename = queryRename && new Map(Object.entries(queryRename));
  const set = Object.entries(options.querySet ?? {}).map(([name, value]) =>
    [name, compile(`querySet.${name}`, value)] as const
  );
  const setNames = new Set(set.map(([name]) => name));
  const byName = keep ?? remove ?? rename ?? set[0];
  return (request) => {
    const base = template === undefined
      ? request.query
      : encodedQuery(template.render(request));
    if (byName === undefined) return base;
    const parameters: string[] = [];
    for (const parameter of base.split("&")) {
      if (parameter === "") continue;
      const name = nameOf(parameter);
      if (keep?.has(name) === false || remove?.has(name)) continue;
      const renamed = rename?.get(name);
      const last = renamed ?? name;
      if (setNames.has(last)) continue;
      parameters.push(
        renamed === undefined ? parameter : renamedTo(renamed, parameter),
      );
    }
    for (const [name, value] of set) {
      parameters.push(`${encodeURIComponent(name)}=${value.render(request)}`);
    }
    return parameters.join("&");
  };
}

/** A parameter's name, decoded; broken escapes stay as they are. */
function nameOf(parameter: string): string {
  const raw = parameter.split("=", 1)[0]!.replaceAll("+", " ");
  try {
    return decodeURIComponent(raw);
  } catch (error) {
    if (error instanceof URIError) return raw;
    throw error;
  }
}

function renamedTo(name: string, parameter: string): string {
  const equals = parameter.indexOf("=");
  const value = equals < 0 ? "" : parameter.slice(equals);
  return `${encodeURIComponent(name)}${value}`;
}

function queryPart(value: string, source: ValueSource): string {
  return source === "target" ? value : encodeURIComponent(value.toWellFormed());
}

/** Percent-encodes what no query may hold (RFC 3986 §3.4). */
function encodedQuery(query: string): string {
  return query.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]+/g,
    (text) => encodeURIComponent(text.toWellFormed()),
  );
}
