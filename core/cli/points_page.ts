/**
 * The page of callback points and the picture of states, made from the tables.
 *
 * @module
 */
import { CALLBACK_POINTS, type CallbackPointSpec } from "../callback_points.ts";
import { type Moves, TRANSACTION_STATES } from "../session/states.ts";

/** The page of callback points and states, as Markdown. */
export function pointsPage(): string {
  const points = CALLBACK_POINTS.map((row: CallbackPointSpec, i) => [
    String(i + 1),
    `\`${row.name}\``,
    row.fires,
    row.verdicts.join(", "),
    row.mode,
    row.bfe ?? "",
    row.ats ?? "",
  ]);
  const states = TRANSACTION_STATES.map((row) => [
    `\`${row.state}\``,
    row.does,
    row.point === null ? "" : `\`${row.point}\``,
    movesText(row.next),
    movesText(row.otherwise),
  ]);
  return [
    "# Callback points",
    "",
    ...table([
      "#",
      "point",
      "fires",
      "verdicts besides goOn",
      "mode",
      "BFE",
      "Traffic Server",
    ], points),
    "",
    "# States of a transaction",
    "",
    ...table(["state", "what happens", "point", "next", "otherwise"], states),
    "",
    statesPicture(),
  ].join("\n");
}

/**
 * The states with their points and where they lead when all goes well, as a
 * Mermaid flowchart in a Markdown block.
 */
export function statesPicture(): string {
  const nodes = TRANSACTION_STATES.map(({ state, point }) =>
    `  ${state}(["${state}${point === null ? "" : `<br/><b>${point}</b>`}"])`
  );
  const moves = TRANSACTION_STATES.flatMap(({ state, next }) =>
    Object.entries(next).map(([to, why]) => `  ${state} -->|${why}| ${to}`)
  );
  const back = TRANSACTION_STATES.flatMap(({ state, otherwise }) =>
    // Where the others lead would hide all the rest.
    Object.entries(otherwise)
      .filter(([to]) => to === "forward")
      .map(([to]) => `  ${state} -.-> ${to}`)
  );
  return ["```mermaid", "flowchart TD", ...nodes, ...moves, ...back, "```"]
    .join("\n");
}

function movesText(moves: Moves): string {
  return Object.entries(moves)
    .map(([state, why]) => `\`${state}\`: ${why}`)
    .join("; ");
}

function table(
  names: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(names), line(names.map(() => "-")), ...rows.map(line)];
}
