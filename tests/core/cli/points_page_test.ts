/**
 * The page of points and the picture of states: whole, and the one that README
 * shows.
 *
 * @module
 */
import { CALLBACK_POINTS } from "../../../core/callback_points.ts";
import { pointsPage, statesPicture } from "../../../core/cli/points_page.ts";
import { TRANSACTION_STATES } from "../../../core/session/states.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";

const README = new URL("../../../README.md", import.meta.url);
const BEGIN = "<!-- states: made from core/session/states.ts -->\n";
const END = "\n<!-- /states -->";

Deno.test("README's picture of states is what the table says", async () => {
  const text = await Deno.readTextFile(README);
  const start = text.indexOf(BEGIN) + BEGIN.length;
  const end = text.indexOf(END, start - 1);
  const picture = `\n${statesPicture()}\n`;
  if (Deno.env.get("UPDATE_GOLDEN") === "1") {
    await Deno.writeTextFile(
      README,
      text.slice(0, start) + picture + text.slice(end),
    );
    return;
  }
  assertEquals(text.slice(start, end), picture);
});

Deno.test("pointsPage has a row for each point and state, and the picture", () => {
  const page = pointsPage();
  CALLBACK_POINTS.forEach(({ name }, i) => {
    assertStringIncludes(page, `\n| ${i + 1} | \`${name}\` |`);
  });
  for (const { state } of TRANSACTION_STATES) {
    assertStringIncludes(page, `\n| \`${state}\` |`);
  }
  assertStringIncludes(page, statesPicture());
});

Deno.test("statesPicture has each state with its point, and each move that goes well", () => {
  const picture = statesPicture();
  for (const { state, point, next } of TRANSACTION_STATES) {
    assertStringIncludes(picture, `\n  ${state}(["${state}`);
    if (point !== null) assertStringIncludes(picture, `<b>${point}</b>`);
    for (const [to, why] of Object.entries(next)) {
      assertStringIncludes(picture, `\n  ${state} -->|${why}| ${to}\n`);
    }
  }
});
