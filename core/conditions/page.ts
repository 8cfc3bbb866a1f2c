/**
 * The page of primitives, made from their table: `config/conditions.md`.
 *
 * @module
 */
import { systemClock } from "../net/clock.ts";
import { MAX_CONDITION_DEPTH, MAX_CONDITION_LENGTH } from "./parser.ts";
import type { Primitive } from "./primitive.ts";
import { primitiveGroups } from "./primitives.ts";

const INTRODUCTION = `# Conditions

A rule's \`when\` is a condition on the request, in BFE's rule language:

    req_path_prefix_in("/api/", false) && (req_method_in("GET|HEAD") || !req_cip_trusted())

- \`!\` binds tightest, then \`&&\`, then \`||\`; parentheses as usual. They are asked
  from left to right, and no further than needed.
- A text stands in double quotes, where \`\\"\`, \`\\\\\`, \`\\n\` and \`\\t\` are escapes, or in
  back quotes, which know none: best for patterns.
- A *list* is a text with \`|\` between its elements: \`"GET|HEAD"\`.
- A *regexp* is a text in RE2's syntax, which matches anywhere unless \`^\` and \`$\`
  bind it. Its time grows with the length of what it is tested on alone.
- \`ignoreCase\` is \`true\` or \`false\`.
- *buckets* are numbers from 0 to 9999 and ranges of them: \`"0-99|500"\` takes
  1.01 % of all values, always the same ones (murmur3 of the value, as in BFE).
- What a request has not is true of no primitive, and \`!\` makes that true.
- In YAML a condition stands in single quotes: \`when: 'default_t()'\`.

A condition may have ${MAX_CONDITION_LENGTH} characters and ${MAX_CONDITION_DEPTH} levels of \`!\` and \`(\`. A wrong
one is refused when the config is loaded. Plugins bring primitives of their own
(\`conditions\` of what \`setup\` returns).

Rules are found by an index of paths, hosts, methods, header fields, cookies and
query parameters: of many rules only those are asked that the request may match.
What stands behind \`!\` is not in it, nor are texts to be contained of less than
three characters, and patterns without a text that all their matches have: one at
their beginning behind \`^\`, one at their end before \`$\`, or three characters
anywhere. Patterns that ignore case have none.
`;

const PATHS = `## Paths that backends read otherwise

Paths are judged without escapes, but else as they were sent, and so they are
passed on: \`/public/../admin/\` and \`//admin/\` do not begin with \`/admin/\`, though
many backends take them for that. Where conditions guard something, refuse such
paths before all other rules:

    - when: 'req_path_regmatch(\`//|\\\\|/\\.\\.?(;|/|$)\`)'
      respond: { status: 400 }

\`builtin:static\` serves none of them.
`;

const BODIES = `## How bodies are read

A rule that comes to ask for a JSON body has the whole body read first, up to
1 MiB in memory; a longer one is answered 413, as a body that is not looked at
would slip past the rule that is to block it. So ask for what costs less before
it: \`req_path_in("/v1/chat", false) && req_body_json_in("model", "small", false)\`
reads no body of another path.

- Read is what has a \`Content-Type\` of \`application/json\` or \`…+json\` and no
  \`Content-Encoding\`; of two members of one name the last one counts, and what
  is no JSON in UTF-8 has no value.
- A place is names with dots between them, \`messages.0.role\`; \`\\.\` is a dot in a
  name.
- \`requestBuffered\` fires only where the cluster has \`requestBuffer\`, read or not.
`;

const DIFFERENCES = `## Not as in BFE

- \`&&\` binds tighter than \`||\`, as BFE's documentation says and its parser does not.
- No header moves the clock: BFE takes it from \`X-Bfe-Debug-Time\`, from any client.
- A host is judged without a dot at its end, an address of IPv6 in whatever
  spelling: no spelling of a host passes its rule by.
- A query parameter that is not there has no value; BFE takes it for an empty one.
- The port of a https request without one is 443.
- \`req_host_tag_in\` takes entries of the product's \`hosts\`: there are no tags beside
  them.
- A client's CA goes by its own name, as its certificate has it, not by a name in
  the config.
`;

/** The page, as Markdown. */
export function conditionsPage(): string {
  const sections = primitiveGroups(systemClock).map(({ title, primitives }) =>
    [
      `## ${title}`,
      "",
      ...(primitives.every(({ subject }) => subject === "response")
        ? [
          "Only where there is a response; in a rule's `when` they are refused.",
          "",
        ]
        : []),
      "| primitive | true when |",
      "| --------- | --------- |",
      ...primitives.map(row),
      "",
    ].join("\n")
  );
  return [
    INTRODUCTION,
    ...sections,
    PATHS,
    BODIES,
    DIFFERENCES,
  ].join("\n");
}

function row({ name, parameters = [], description }: Primitive): string {
  const shown = parameters.map(({ name, form }) => `${name}: ${form}`);
  return `| \`${name}(${shown.join(", ")})\` | ${
    description.replaceAll("|", "\\|")
  } |`;
}
