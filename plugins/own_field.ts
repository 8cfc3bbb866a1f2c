/**
 * Fields by which a backend is told what was found out here: a client's own of
 * that name never gets through.
 *
 * @module
 */
import type { HeaderFields } from "../core/plugin.ts";

/**
 * Sets the field, or removes it for an undefined value. What a client sent under
 * that name goes in any case, also spelt with other signs (`X_User`, `X.User`),
 * which backends with variables in place of fields (CGI, WSGI) take for the same.
 */
export function setOwnField(
  headers: HeaderFields,
  name: string,
  value: string | undefined,
): void {
  const plain = plainName(name);
  const forged = Array.from(headers, ([other]) => other)
    .filter((other) => plainName(other) === plain);
  for (const other of forged) headers.delete(other);
  if (value !== undefined && value !== "") headers.set(name, fieldText(value));
}

/** A name in lower case with `-` in place of every sign: the same for all that backends may take for one. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "-");
}

/** Characters that no field may hold are percent-encoded. */
export function fieldText(text: string): string {
  return text.replaceAll(
    /[^\t\x20-\x7e]/gu,
    (char) => encodeURIComponent(char.toWellFormed()),
  ).trim();
}
