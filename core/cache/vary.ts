/**
 * Several responses to one URL: which request fields they depend on and which
 * of them answers a request (RFC 9111 §4.1).
 *
 * @module
 */
import type { HeaderFields } from "../plugin.ts";
import type { FieldLine, StoredEntry, StoredHead } from "./store.ts";
import { factsOf, valuesOf } from "./stored_response.ts";
import { strongTag } from "./validators.ts";

/** Fields whose members are weighed: their order and case say nothing. */
const WEIGHED: ReadonlySet<string> = new Set([
  "accept-charset",
  "accept-encoding",
  "accept-language",
]);

/** Fields that are kept for selectAlternate beside those that Vary names. Credentials are not. */
const SHOWN = [
  "accept",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "user-agent",
];

/** A field's value in the one spelling by which it is compared; undefined where it is absent. */
export function varyingValue(
  fields: Pick<HeaderFields, "get">,
  name: string,
): string | undefined {
  const value = fields.get(name);
  if (value === null) return undefined;
  if (WEIGHED.has(name)) {
    return weighed(value).map(({ text }) => text).sort().join(",");
  }
  return value.includes(",") ? members(value).join(",") : value.trim();
}

/** Members of a list; commas within quotes separate nothing. */
function members(value: string): string[] {
  const found = value.match(/(?:[^",]|"(?:[^"\\]|\\.)*(?:"|\\?$))+/g) ?? [];
  return found.map((member) => member.trim()).filter((member) => member !== "");
}

interface Weighed {
  readonly name: string;
  readonly weight: number;
  /** As it is compared: a weight of 1 is not said. */
  readonly text: string;
}

function weighed(value: string): Weighed[] {
  return members(value.toLowerCase()).map((member) => {
    const [name = "", ...parameters] = member.split(";").map((part) =>
      part.trim()
    );
    const said = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = said === undefined ? 1 : Number(said.slice(2));
    const text = weight === 1 ? name : `${name};q=${weight}`;
    return { name, weight, text };
  });
}

/** What is kept of a request with a response that names these in Vary. */
export function keptRequest(
  fields: Pick<HeaderFields, "get">,
  vary: readonly string[],
): FieldLine[] {
  const kept: FieldLine[] = [];
  for (const name of new Set([...vary, ...SHOWN])) {
    const value = varyingValue(fields, name);
    if (value !== undefined) kept.push([name, value]);
  }
  return kept;
}

/** Whether a stored response may answer a request with these fields, as far as Vary goes. */
export function varyMatches(
  head: StoredHead,
  fields: Pick<HeaderFields, "get">,
): boolean {
  const { vary } = factsOf(head);
  if (vary === null) return false;
  for (const name of vary) {
    const stored = valuesOf(head.request, name)[0];
    const asked = varyingValue(fields, name);
    if (stored === asked) continue;
    if (name !== "accept-language" || asked === undefined) return false;
    if (!isLanguageWanted(head, asked)) return false;
  }
  return true;
}

/** Whether it is in the one language that the request wants most: what its backend would choose, too. */
function isLanguageWanted(head: StoredHead, asked: string): boolean {
  const languages = valuesOf(head.fields, "content-language");
  const language = languages[0]?.trim().toLowerCase();
  if (languages.length !== 1 || language === undefined) return false;
  const wanted = weighed(asked);
  const most = Math.max(...wanted.map(({ weight }) => weight));
  const best = wanted.filter(({ weight }) => weight === most);
  return most > 0 && best.length === 1 && best[0]!.name === language;
}

/**
 * The stored response that answers: of those that match and that `quality`
 * does not veto with 0, the one of the best quality, of equals the latest.
 */
export function selectEntry(
  entries: readonly StoredEntry[],
  scope: string,
  fields: Pick<HeaderFields, "get">,
  quality?: (head: StoredHead) => number,
): StoredEntry | undefined {
  let selected: StoredEntry | undefined;
  let best = 0;
  for (const entry of entries) {
    const { head } = entry;
    if (head.scope !== scope || !varyMatches(head, fields)) continue;
    const own = quality === undefined ? 1 : quality(head);
    if (!(own > 0) || own < best) continue;
    if (selected !== undefined && own === best && !isLater(entry, selected)) {
      continue;
    }
    selected = entry;
    best = own;
  }
  return selected;
}

/** Tags that a backend is asked about at once, and bytes of them. */
const MAX_TAGS = 8;
const MAX_TAG_BYTES = 1 << 10;

/**
 * Strong entity tags of what is stored for requests that want something else
 * than this one: its backend may choose one of them again (RFC 9111 §4.1). None
 * of a coding that the request does not take: too many backends give all
 * codings of a representation the same tag.
 */
export function alternateTags(
  entries: readonly StoredEntry[],
  scope: string,
  fields: Pick<HeaderFields, "get">,
): string[] {
  const tags = new Set<string>();
  let bytes = 0;
  for (const { head } of entries) {
    const tag = strongTag(head);
    if (
      tag === undefined || tags.has(tag) || head.scope !== scope ||
      !head.complete || head.status !== 200 || !canDecode(head, fields)
    ) continue;
    bytes += tag.length;
    if (tags.size === MAX_TAGS || bytes > MAX_TAG_BYTES) break;
    tags.add(tag);
  }
  return [...tags];
}

/** Whether the request takes the codings of a stored response; without Accept-Encoding it takes none. */
function canDecode(
  head: StoredHead,
  fields: Pick<HeaderFields, "get">,
): boolean {
  const codings = valuesOf(head.fields, "content-encoding")
    .flatMap(members)
    .map((coding) => coding.toLowerCase())
    .filter((coding) => coding !== "identity");
  if (codings.length === 0) return true;
  const taken = weighed(fields.get("accept-encoding") ?? "");
  return codings.every((coding) => {
    const said = taken.find(({ name }) => name === coding) ??
      taken.find(({ name }) => name === "*");
    return said !== undefined && said.weight > 0;
  });
}

function isLater(a: StoredEntry, b: StoredEntry): boolean {
  const [one, other] = [factsOf(a.head).date, factsOf(b.head).date];
  return one === other ? a.head.receivedAt > b.head.receivedAt : one > other;
}
