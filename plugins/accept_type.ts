/**
 * Which media type a client wants most (RFC 9110 §12.5.1).
 *
 * @module
 */

/**
 * The best of `offered`, in the server's order of preference; undefined where
 * the client takes none of them. Everything is taken where it doesn't say.
 */
export function preferredType<Type extends string>(
  field: string | null,
  offered: readonly Type[],
): Type | undefined {
  if (field === null || field.trim() === "") return offered[0];
  const ranges = field.toLowerCase().split(",").map(parseRange);
  let best: Type | undefined;
  let most = 0;
  for (const type of offered) {
    const weight = weightOf(type, ranges);
    if (weight > most) {
      most = weight;
      best = type;
    }
  }
  return best;
}

interface Range {
  readonly type: string;
  readonly weight: number;
}

function parseRange(text: string): Range {
  const [type = "", ...parameters] = text.split(";").map((s) => s.trim());
  const weight = parameters.find((each) => each.startsWith("q="))?.slice(2);
  const known = weight === undefined ? 1 : Number(weight);
  return { type, weight: known >= 0 && known <= 1 ? known : 0 };
}

/** The most specific range that fits tells the weight. */
function weightOf(offered: string, ranges: readonly Range[]): number {
  const [type = ""] = offered.toLowerCase().split(";");
  const [kind = ""] = type.split("/");
  for (const wanted of [type, `${kind}/*`, "*/*"]) {
    const range = ranges.find(({ type }) => type === wanted);
    if (range !== undefined) return range.weight;
  }
  return 0;
}
