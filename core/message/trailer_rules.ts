/**
 * Which fields may follow a body: those that nobody has to know before it
 * (RFC 9110 §6.5.1), in every protocol.
 *
 * @module
 */
import { isFramingField, withHyphens } from "./field_rules.ts";

/**
 * Fields that route, frame, change or judge a message, or tell how to read its
 * body: whoever merges trailers into a head would be made to believe them.
 */
const HEAD_ONLY: ReadonlySet<string> = new Set([
  "age",
  "authentication-info",
  "authorization",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-location",
  "content-range",
  "content-security-policy",
  "content-type",
  "cookie",
  "date",
  "expect",
  "expires",
  "forwarded",
  "host",
  "location",
  "max-forwards",
  "origin",
  "pragma",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "set-cookie",
  "strict-transport-security",
  "vary",
  "via",
  "www-authenticate",
  "x-http-method-override",
  "x-real-ip",
]);
const HEAD_ONLY_FAMILIES =
  /^(access-control|if|sec|x-client-cert|x-forwarded|x-headrace)-/;

/** Whether a field of this name, in lower case, may be sent on behind a body. */
export function mayBeTrailer(lowerName: string): boolean {
  // Variables in place of fields, as CGI has them, know no other signs.
  const name = withHyphens(lowerName);
  return !HEAD_ONLY.has(name) && !HEAD_ONLY_FAMILIES.test(name) &&
    !isFramingField(name);
}
