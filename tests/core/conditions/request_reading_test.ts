/**
 * What conditions read of a request by themselves.
 *
 * @module
 */
import fc from "fast-check";
import {
  queryValue,
  someQueryKey,
} from "../../../core/conditions/request_reading.ts";
import { assertEquals } from "../../support/assert.ts";

const query = fc.string({
  unit: fc.constantFrom(..."abk=&+%", "%20", "%6b", "%C3%A9", "%F", "%2b"),
  maxLength: 20,
});
const name = fc.constantFrom("", "a", "k", "ab", "a b", "é", "+", "%");

Deno.test("queryValue reads as URLSearchParams does", () => {
  fc.assert(
    fc.property(query, name, (query, name) => {
      assertEquals(
        queryValue(query, name),
        new URLSearchParams(query).get(name) ?? undefined,
        JSON.stringify([query, name]),
      );
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("someQueryKey meets the keys that URLSearchParams has", () => {
  fc.assert(
    fc.property(query, (query) => {
      const keys: string[] = [];
      someQueryKey(query, (key) => keys.push(key) === 0);
      assertEquals(keys, [...new URLSearchParams(query).keys()]);
    }),
    { numRuns: 2_000 },
  );
});
