/**
 * Names of certificates' owners and issuers as text (RFC 4514).
 *
 * @module
 */
import {
  type DerValue,
  objectIdentifier,
  readInside,
  SEQUENCE,
  SET,
} from "./der.ts";

/** Types that have a short name (RFC 4514 §3, and two that real certificates use). */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};

const BMP_STRING = 0x1e;

/** A Name: the most specific part first, visible ASCII only, so that it fits a header field. Throws a `DerError`. */
export function distinguishedName(value: DerValue | undefined): string {
  return readInside(value, SEQUENCE)
    .map((set) => readInside(set, SET).map(attribute).join("+"))
    .reverse()
    .join(",");
}

function attribute(pair: DerValue): string {
  const [type, text] = readInside(pair, SEQUENCE);
  const id = objectIdentifier(type);
  return `${SHORT_NAMES[id] ?? id}=${escape(stringOf(text))}`;
}

function stringOf(value: DerValue | undefined): string {
  if (value === undefined) return "";
  const encoding = value.tag === BMP_STRING ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding).decode(value.bytes);
}

/**
 * RFC 4514 §2.4: what would end or begin a part is escaped, and so is whatever
 * is not visible ASCII, byte by byte: a name is the client's to choose, and
 * backends get it in a field.
 */
function escape(text: string): string {
  return text
    .replace(/[\\",+;<>=]/g, (char) => `\\${char}`)
    .replace(/^[ #]| $/g, (char) => `\\${char}`)
    .replace(/[^\x20-\x7e]+/gu, (run) =>
      Array.from(
        new TextEncoder().encode(run),
        (byte) => `\\${byte.toString(16).padStart(2, "0")}`,
      ).join(""));
}
