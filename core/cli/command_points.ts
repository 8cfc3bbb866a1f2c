/**
 * `headrace points`: the page of callback points, made from the tables.
 *
 * @module
 */
import { CALLBACK_POINTS, type CallbackPointSpec } from "../callback_points.ts";
import { TRANSACTION_STATES } from "../session/states.ts";

/** Prints the page, as Markdown. */
export function printPoints(): number {
  console.log(pointsPage());
  return 0;
}

/** The page of callback points and states. */
export function pointsPage(): string {
  const points = CALLBACK_POINTS.map((row: CallbackPointSpec, i) =>
    [
      i + 1,
      `\`${row.name}\``,
      row.fires,
      row.verdicts.join(", "),
      row.mode,
      row.bfe ?? "",
      row.ats ?? "",
    ].join(" | ")
  );
  const states = TRANSACTION_STATES.map(({ state, does, point, next }) =>
    [
      `\`${state}\``,
      does,
      point === null ? "" : `\`${point}\``,
      next.join(", "),
    ].join(" | ")
  );
  return [
    "# Callback points",
    "",
    "| # | point | fires | verdicts besides goOn | mode | BFE | Traffic Server |",
    "| - | ----- | ----- | --------------------- | ---- | --- | -------------- |",
    ...points.map((row) => `| ${row} |`),
    "",
    "# States of a transaction",
    "",
    "A failure or a verdict may lead from any state to `respond`, `deliver` or `finished`.",
    "",
    "| state | what happens | point | next |",
    "| ----- | ------------ | ----- | ---- |",
    ...states.map((row) => `| ${row} |`),
  ].join("\n");
}
