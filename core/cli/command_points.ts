/**
 * `headrace points`: the page of callback points.
 *
 * @module
 */
import { pointsPage } from "./points_page.ts";

/** Prints the page, as Markdown. */
export function printPoints(): number {
  console.log(pointsPage());
  return 0;
}
