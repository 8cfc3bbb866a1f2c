/**
 * Which coding a client wants most (RFC 9110 §12.5.3).
 *
 * @module
 */

/**
 * The best of `offered`, in the server's order of preference; undefined where
 * the client wants none of them more than the body as it is.
 */
export function preferredCoding<Coding extends string>(
  field: string | null,
  offered: readonly Coding[],
): Coding | undefined {
  if (field === null) return undefined;
  const weights = parse(field);
  const any = weights.get("*");
  const weightOf = (coding: string) => weights.get(coding) ?? any ?? 0;
  const identity = weights.get("identity") ?? 0;
  let best: Coding | undefined;
  let most = 0;
  for (const coding of offered) {
    const weight = weightOf(coding);
    if (weight > most) {
      most = weight;
      best = coding;
    }
  }
  return most > 0 && most >= identity ? best : undefined;
}

/** Codings in lower case with their weights; what is no weight counts as 0. */
function parse(field: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const element of field.split(",")) {
    const [coding, ...parameters] = element.split(";").map((s) => s.trim());
    if (coding === undefined || coding === "") continue;
    const weight = parameters.find((each) => /^q=/i.test(each))?.slice(2);
    const known = weight === undefined
      ? 1
      : /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight)
      ? Number(weight)
      : 0;
    const name = coding.toLowerCase();
    weights.set(name === "x-gzip" ? "gzip" : name, known);
  }
  return weights;
}
