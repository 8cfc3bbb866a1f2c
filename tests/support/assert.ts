/**
 * Assertions of the standard library with types: from npm they come without.
 *
 * @module
 */
// deno-lint-ignore-file no-explicit-any
// @ts-types="./assert_types.d.ts"
import * as std from "@std/assert";

type ErrorClass<E extends Error> = new (...args: any[]) => E;

/** Fails unless `actual` is truthy. */
export function assert(actual: unknown, message?: string): asserts actual {
  std.assert(actual, message);
}

/** Fails unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string) {
  std.assertEquals(actual, expected, message);
}

/** Fails if both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string) {
  std.assertNotEquals(actual, expected, message);
}

/** Fails unless `actual` matches. */
export function assertMatch(actual: string, expected: RegExp) {
  std.assertMatch(actual, expected);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string) {
  std.assertStringIncludes(actual, expected);
}

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
): E {
  return std.assertThrows(fn, errorClass, messageIncludes) as E;
}

/** Fails unless the promise of `fn` rejects; resolves to the reason. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
): Promise<E> {
  return await std.assertRejects(fn, errorClass, messageIncludes) as E;
}
