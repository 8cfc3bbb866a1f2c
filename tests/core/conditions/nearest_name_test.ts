/**
 * "Did you mean".
 *
 * @module
 */
import { nearestName } from "../../../core/conditions/nearest_name.ts";
import { assertEquals } from "../../support/assert.ts";

const NAMES = ["req_host_in", "req_path_in", "req_path_prefix_in", "default_t"];

const CASES: readonly (readonly [string, string | undefined])[] = [
  ["req_host_in", "req_host_in"],
  ["req_hots_in", "req_host_in"],
  ["req_path_prefx_in", "req_path_prefix_in"],
  ["defaultt", "default_t"],
  ["default", "default_t"],
  ["geo", undefined],
  ["", undefined],
];

for (const [name, expected] of CASES) {
  Deno.test(`nearestName of ${JSON.stringify(name)} is ${expected}`, () => {
    assertEquals(nearestName(name, NAMES), expected);
  });
}
