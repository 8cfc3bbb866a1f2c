/**
 * Names of fields in options.
 *
 * @module
 */
import { z } from "zod";

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Fields that frame a message or belong to a connection are Headrace's own on each side: no plugin can change them. */
const FRAMING: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether the text can be a field's name. */
export function isFieldName(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether nobody but Headrace can change the field. */
export function isFraming(name: string): boolean {
  return FRAMING.has(name.toLowerCase());
}

/** Checks the name of a field that a plugin sets or removes. */
export function fieldName() {
  return z.string().regex(TOKEN).refine(
    (name) => !isFraming(name),
    "Expected a field that does not frame the message",
  );
}
