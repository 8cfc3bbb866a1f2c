/**
 * Every misuse of transforms over 10,000 requests on kept connections. Run with
 * `deno task long`.
 *
 * @module
 */
import { assert } from "../support/assert.ts";
import { MISUSES, runHostile } from "../support/hostile_transforms.ts";

Deno.test("10,000 requests among hostile transforms: 0 wrong bytes on others", async () => {
  const { requests, plain, broken } = await runHostile(10_000);
  console.log(
    `${requests} requests on 8 connections, ${MISUSES.length} misuses: ${plain} requests without one, each with its own bytes; ${broken} connections broken off`,
  );
  assert(plain > 4_000);
});
