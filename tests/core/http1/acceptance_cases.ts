/**
 * The acceptance cases of an HTTP/1.1 proxy, as far as a codec can know them:
 * what `about` in http1_cases.json says.
 *
 * @module
 */

/** A string of bytes as latin1, or a long one in parts. */
type Text =
  | string
  | { readonly cat: readonly (string | { readonly rep: [string, number] })[] };

/** One case. */
export interface AcceptanceCase {
  readonly id: string;
  readonly name: string;
  /** Bytes, pauses in seconds, or a half-close. */
  readonly send: readonly (Text | number)[];
  /** What the backend answers, one after another. */
  readonly replies: readonly string[];
  readonly expect: {
    readonly st: readonly string[];
    readonly up?: number;
    readonly upre?: readonly string[];
    readonly upno?: readonly string[];
    readonly outre?: readonly string[];
    readonly outno?: readonly string[];
  };
}

interface Reply {
  readonly data?: Text;
  readonly close?: Text;
}

interface RawCase extends Omit<AcceptanceCase, "replies"> {
  readonly upstream: null | "down" | readonly (Text | Reply)[];
}

/** All cases, in order. */
export function acceptanceCases(): AcceptanceCase[] {
  const file = new URL("./http1_cases.json", import.meta.url);
  const { cases } = JSON.parse(Deno.readTextFileSync(file)) as {
    cases: RawCase[];
  };
  return cases.map((item) => ({ ...item, replies: repliesOf(item) }));
}

/** What is sent, pauses and half-closes left out. */
export function textOf(send: AcceptanceCase["send"]): string {
  return send.map((part) =>
    typeof part === "number" || part === "SHUT" ? "" : expand(part)
  ).join("");
}

/** A regular expression of the cases, whose flags may stand in front. */
export function patternOf(source: string): RegExp {
  const [, flags = "", pattern = ""] =
    /^(?:\(\?([is]+)\))?([^]*)$/.exec(source) ??
      [];
  return new RegExp(pattern, flags);
}

function repliesOf({ upstream }: RawCase): string[] {
  if (upstream === null || upstream === "down") return [];
  return upstream.map((reply) =>
    typeof reply === "string" || "cat" in reply
      ? expand(reply)
      : expand(reply.data ?? reply.close ?? "")
  );
}

function expand(text: Text): string {
  if (typeof text === "string") return text;
  return text.cat.map((part) =>
    typeof part === "string" ? part : part.rep[0].repeat(part.rep[1])
  ).join("");
}
