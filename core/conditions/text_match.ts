/**
 * Tests of a text against a list, made once at load.
 *
 * @module
 */

/** A test of a text. */
export type TextTest = (text: string) => boolean;

/** Makes a test of a list; ignores case where told so. */
export type TextMatch = (
  list: readonly string[],
  ignoreCase: boolean,
) => TextTest;

/** The text is one of the list. */
export function matchIn(
  list: readonly string[],
  ignoreCase: boolean,
): TextTest {
  if (ignoreCase) return folded(list, matchIn);
  const [only] = list;
  if (list.length === 1) return (text) => text === only;
  const set = new Set(list);
  return (text) => set.has(text);
}

/** The text begins with one of the list. */
export function matchPrefix(
  list: readonly string[],
  ignoreCase: boolean,
): TextTest {
  if (ignoreCase) return folded(list, matchPrefix);
  const [only = ""] = list;
  if (list.length === 1) return (text) => text.startsWith(only);
  return (text) => {
    for (const prefix of list) if (text.startsWith(prefix)) return true;
    return false;
  };
}

/** The text ends with one of the list. */
export function matchSuffix(
  list: readonly string[],
  ignoreCase: boolean,
): TextTest {
  if (ignoreCase) return folded(list, matchSuffix);
  const [only = ""] = list;
  if (list.length === 1) return (text) => text.endsWith(only);
  return (text) => {
    for (const suffix of list) if (text.endsWith(suffix)) return true;
    return false;
  };
}

/** The text contains one of the list. */
export function matchContain(
  list: readonly string[],
  ignoreCase: boolean,
): TextTest {
  if (ignoreCase) return folded(list, matchContain);
  const [only = ""] = list;
  if (list.length === 1) return (text) => text.includes(only);
  return (text) => {
    for (const part of list) if (text.includes(part)) return true;
    return false;
  };
}

/** The text, a path, begins with the whole segments of one of the list: `/a/b` does so for `/a` and `/a/`, `/ab` does not. */
export function matchElementPrefix(
  list: readonly string[],
  ignoreCase: boolean,
): TextTest {
  if (ignoreCase) return folded(list, matchElementPrefix);
  const prefixes = list.map((prefix) =>
    prefix.endsWith("/") ? prefix.slice(0, -1) : prefix
  );
  return (text) => {
    for (const prefix of prefixes) {
      if (
        text.startsWith(prefix) &&
        (text.length === prefix.length || text[prefix.length] === "/")
      ) return true;
    }
    return false;
  };
}

function folded(list: readonly string[], match: TextMatch): TextTest {
  const test = match(list.map((element) => element.toLowerCase()), false);
  return (text) => test(text.toLowerCase());
}
