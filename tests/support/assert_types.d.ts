// deno-lint-ignore-file no-explicit-any
export function assert(actual: unknown, message?: string): void;
export function assertEquals(a: unknown, b: unknown, message?: string): void;
export function assertNotEquals(a: unknown, b: unknown, message?: string): void;
export function assertMatch(actual: string, expected: RegExp): void;
export function assertStringIncludes(actual: string, expected: string): void;
export function assertThrows(fn: () => unknown, ...rest: any[]): unknown;
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...rest: any[]
): Promise<unknown>;
