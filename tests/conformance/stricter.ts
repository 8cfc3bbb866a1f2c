/**
 * Where a case leaves a choice: what Headrace has chosen, the stricter of what
 * is allowed. What is not here may still be chosen.
 *
 * @module
 */

/** The statuses of a case, by its id. */
export const CHOSEN: Readonly<Record<string, readonly string[]>> = {
  // Nothing is repaired on the way: a head that not everybody reads alike is refused.
  A02: ["400"],
  A07: ["400"],
  A10: ["505"],
  A20: ["400"],
  A23: ["414"],
  B15: ["400"],
  B21: ["405"],
  B23: ["405"],
  C03: ["400"],
  C04: ["400"],
  C10: ["400"],
  C12: ["400"],
  C13: ["400"],
  D03: ["431"],
  D04: ["431"],
  // Neither is framing, also where both readings agree.
  E01: ["400"],
  E10: ["400"],
  F01: ["400"],
  F04: ["400"],
  F07: ["501"],
  F09: ["501"],
  F10: ["400"],
  F16: ["400"],
  F18: ["400"],
  G20: ["400"],
  G26: ["431"],
  K04: ["417"],
  K10: ["417"],
  // A client is told what went wrong as long as it may listen.
  I07: ["200"],
  I08: ["408"],
  I10: ["408"],
  I11: ["400"],
  I14: ["502"],
  J05: ["405"],
  J08: ["502"],
  M25: ["502"],
  // A broken response is not mended.
  M05: ["502"],
  M08: ["502"],
  M10: ["502"],
  M11: ["502"],
  M20: ["502"],
  M23: ["502"],
};
