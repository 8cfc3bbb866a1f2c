/**
 * What kind of value something is: for checks and for what they say.
 *
 * @module
 */

/** Whether it is an object with members of its own: no array, not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Whether all of its members are its own: of a class's instance the methods are
 * not, a map has none, and neither would be found.
 */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether it was declared async. */
// deno-lint-ignore ban-types -- any function, only its kind is looked at
export function isAsync(value: Function): boolean {
  return /^\[object Async/.test(Object.prototype.toString.call(value));
}

/** A value for a message. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return name && name !== "Object" ? `a ${name}` : "an object";
}
