/**
 * Primitives on path and target.
 *
 * @module
 */
import {
  type Dimension,
  type KeyFit,
  keysOf,
  partKeys,
  patternKeys,
} from "./index_key.ts";
import { IGNORE_CASE, list, parts, regexp } from "./parameter.ts";
import { definePrimitive, type Primitive } from "./primitive.ts";
import { decodedPath } from "./request_reading.ts";
import {
  matchContain,
  matchElementPrefix,
  matchIn,
  matchPrefix,
  matchSuffix,
  type TextMatch,
} from "./text_match.ts";

const PATH: Dimension = { name: "path", dear: false, read: decodedPath };

const TARGET: Dimension = {
  name: "target",
  dear: false,
  read: (request) => request.target,
};

/** Those on path and target. */
export function pathPrimitives(): readonly Primitive[] {
  return [
    onPath("in", "is", matchIn, "whole"),
    onPath("prefix_in", "begins with", matchPrefix, "prefix"),
    onPath("suffix_in", "ends with", matchSuffix, "suffix"),
    onPath("contain", "contains", matchContain, "part"),
    onPath(
      "element_prefix_in",
      "begins with the whole segments of",
      matchElementPrefix,
      "segments",
    ),
    definePrimitive({
      name: "req_path_regmatch",
      parameters: [regexp()],
      description: "the path matches the pattern",
      make: ([pattern]) => (request) => pattern.test(decodedPath(request)),
      keys: ([pattern]) => patternKeys(PATH, pattern),
    }),
    definePrimitive({
      name: "req_url_regmatch",
      parameters: [regexp()],
      description:
        "the target, path and query with their escapes, matches the pattern",
      make: ([pattern]) => (request) => pattern.test(request.target),
      keys: ([pattern]) => patternKeys(TARGET, pattern),
    }),
  ];
}

function onPath(
  suffix: string,
  does: string,
  match: TextMatch,
  fit: KeyFit,
): Primitive {
  return definePrimitive({
    name: `req_path_${suffix}`,
    parameters: [
      fit === "whole" ? list("paths", String) : parts("paths"),
      IGNORE_CASE,
    ],
    description: `the path, without escapes, ${does} one of these`,
    make: ([paths, ignoreCase]) => {
      const test = match(paths, ignoreCase);
      return (request) => test(decodedPath(request));
    },
    keys: ([paths, ignoreCase]) =>
      fit === "part" ? partKeys(PATH, paths, ignoreCase) : keysOf(
        PATH,
        fit,
        fit === "segments" ? paths.map(trimSlash) : paths,
        ignoreCase,
      ),
  });
}

/** `/a/` and `/a` are the same segments. */
function trimSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
