/**
 * Directives of Cache-Control and CDN-Cache-Control, edited: those that a rule
 * sets are well formed and first, what else there was stays as it came.
 *
 * @module
 */
import { z } from "zod";
import { duration } from "./duration.ts";

const MAX_SECONDS = 2 ** 31 - 1;

/** A duration in whole seconds, as directives have them (RFC 9111 §1.2.2). */
function seconds() {
  return duration("0s")
    .refine((ms) => ms % 1_000 === 0, "Expected whole seconds")
    .transform((ms) => Math.min(ms / 1_000, MAX_SECONDS));
}

const flag = z.literal(true);

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Alone, or for these fields only. */
const flagOrFields = z.union([
  flag,
  z.array(z.string().regex(FIELD_NAME)).min(1),
]);

/** Directives of responses by RFC 9111 §5.2.2, RFC 5861 and RFC 8246. */
export const Directives = z.strictObject({
  maxAge: seconds().optional(),
  sMaxage: seconds().optional(),
  staleWhileRevalidate: seconds().optional(),
  staleIfError: seconds().optional(),
  public: flag.optional(),
  private: flagOrFields.optional(),
  noStore: flag.optional(),
  noCache: flagOrFields.optional(),
  mustRevalidate: flag.optional(),
  proxyRevalidate: flag.optional(),
  mustUnderstand: flag.optional(),
  noTransform: flag.optional(),
  immutable: flag.optional(),
}).superRefine((set, context) => {
  const refuse = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (set.public && set.private === true) {
    refuse("private", "Cannot be public and private");
  }
  if (set.noStore && !set.mustUnderstand) {
    for (const name of ["maxAge", "sMaxage", "immutable", "public"] as const) {
      if (set[name] !== undefined) {
        refuse(name, "What must not be stored has no such directive");
      }
    }
  }
});

/** Directives to set. */
export type DirectiveOptions = z.output<typeof Directives>;

/** One directive as it stands in a field. */
interface Member {
  /** In lower case. */
  readonly name: string;
  readonly text: string;
}

/** A change of a field's directives. */
export interface DirectiveEdit {
  readonly set: DirectiveOptions;
  /** Names that go, in lower case. */
  readonly remove: readonly string[];
  /** All that there were go. */
  readonly drop: boolean;
  /** Seconds that are added to what is set as max-age and s-maxage. */
  readonly age: number;
}

/** Whether it says how long, or that at all, something may be used without asking. */
export function setsFreshness(set: DirectiveOptions): boolean {
  return set.maxAge !== undefined || set.noStore !== undefined ||
    set.noCache === true;
}

/** Cache-Control with the change; undefined where nothing is left of it. */
export function editCacheControl(
  values: readonly string[],
  edit: DirectiveEdit,
): string | undefined {
  return edited(values.flatMap(splitMembers), edit);
}

/**
 * CDN-Cache-Control with the change; undefined where nothing is left of it. It
 * is a dictionary of Structured Fields, and one that is none is ignored as a
 * whole (RFC 9213 §2.1): nothing of it is kept.
 */
export function editCdnCacheControl(
  values: readonly string[],
  edit: DirectiveEdit,
): string | undefined {
  const members = splitMembers(values.join(","));
  const sound = members.every(({ text }) => DICTIONARY_MEMBER.test(text));
  // The last of several with one key counts (RFC 9651 §4.2.2).
  const last = new Map(members.map((member) => [member.name, member]));
  return edited(sound ? [...last.values()] : [], edit);
}

/** A key and a bare item, or a list of them, with parameters. */
const DICTIONARY_MEMBER = (() => {
  const string = String.raw`"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"`;
  const token = String.raw`[A-Za-z*][\w!#$%&'*+.^${"`"}|~:/-]*`;
  const item = String
    .raw`(?:-?\d{1,15}(?:\.\d{1,3})?|${string}|${token}|:[\w+/=]*:|\?[01]|@-?\d{1,15})`;
  const key = String.raw`[a-z*][a-z0-9_.*-]*`;
  const parameters = String.raw`(?:; *${key}(?:=${item})?)*`;
  const list = String
    .raw`\( *(?:${item}${parameters}(?: +${item}${parameters})*)? *\)`;
  return new RegExp(`^${key}(?:=(?:${item}|${list}))?${parameters}$`);
})();

function edited(
  members: readonly Member[],
  { set, remove, drop, age }: DirectiveEdit,
): string | undefined {
  const made = write(set, age);
  const gone = new Set([...remove, ...made.keys(), ...contrary(set)]);
  const kept = new Map<string, Member>();
  for (const member of drop ? [] : members) {
    if (gone.has(member.name)) continue;
    // Of several numbers the first counts (RFC 9111 §4.2.1); the rest may say
    // more, as `private="a", private="b"` does.
    const key = NUMBERS.has(member.name) ? member.name : member.text;
    if (!kept.has(key)) kept.set(key, member);
  }
  // Ours first: whatever a malformed one does to those behind it.
  const all = [
    ...made.values(),
    ...[...kept.values()].map(({ text }) => text),
  ];
  return all.length === 0 ? undefined : all.join(", ");
}

/** What can't be true besides what is set. */
function contrary(set: DirectiveOptions): string[] {
  return [
    ...set.public ? ["private"] : [],
    ...set.private === true ? ["public", "s-maxage"] : [],
    ...set.noStore
      ? [...NUMBERS, "immutable", "public", "must-understand"]
      : [],
  ];
}

const NUMBERS: ReadonlySet<string> = new Set([
  "max-age",
  "s-maxage",
  "stale-while-revalidate",
  "stale-if-error",
]);

/** The directives by name. */
function write(
  set: DirectiveOptions,
  age: number,
): ReadonlyMap<string, string> {
  const written = new Map<string, string>();
  for (const [option, value] of Object.entries(set)) {
    if (value === undefined) continue;
    const name = option.replaceAll(
      /[A-Z]/g,
      (letter) => `-${letter.toLowerCase()}`,
    );
    const aged = name === "max-age" || name === "s-maxage";
    const text = value === true
      ? name
      : typeof value === "number"
      ? `${name}=${Math.min(value + (aged ? age : 0), MAX_SECONDS)}`
      : `${name}="${value.join(", ")}"`;
    written.set(name, text);
  }
  return written;
}

/** Up to the next comma outside of a quoted string. */
const MEMBER = /(?:[^",]|"(?:[^"\\]|\\.)*(?:"|\\?$))+/g;

function splitMembers(value: string): Member[] {
  return (value.match(MEMBER) ?? [])
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map((text) => ({ name: /^[^=;\s]*/.exec(text)![0].toLowerCase(), text }));
}
