/**
 * Sizes in options, written as in the rest of the config: `512`, `16KiB`, `1MiB`.
 *
 * @module
 */
import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

const SIZE = /^(\d{1,12})(B|KiB|MiB|GiB)?$/;

/** Checks a size; the option is bytes, at least one. */
export function size() {
  return z.union([z.int().transform(String), z.string()])
    .refine((text) => SIZE.test(text), "Expected a size such as 16KiB, 1MiB")
    .transform((text) => {
      const [, count, unit = ""] = SIZE.exec(text) ?? [];
      return Number(count) * (UNITS[unit] ?? NaN);
    })
    .refine((bytes) => bytes >= 1, "Expected at least one byte");
}
