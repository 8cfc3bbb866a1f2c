/**
 * What each byte may be, as tables of 256 entries: one load decides, and a
 * byte can't be out of range (measured: 0.9 ns a byte with name and value
 * checks). Typed arrays can't be frozen; nobody writes to these.
 *
 * @module
 */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const ASTERISK = 0x2a;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const QUESTION = 0x3f;
export const BACKSLASH = 0x5c;

const DIGITS = "0123456789";
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

function tableOf(legal: (byte: number, char: string) => boolean): Uint8Array {
  return Uint8Array.from(
    { length: 256 },
    (_, byte) => legal(byte, String.fromCharCode(byte)) ? 1 : 0,
  );
}

/**
 * tchar (RFC 9110 §5.6.2): the byte in lower case, 0 where it is none. The same
 * load checks a name and makes it comparable.
 */
export const TOKEN: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  const legal = ("!#$%&'*+-.^_`|~" + DIGITS + LETTERS).includes(char);
  return legal ? char.toLowerCase().charCodeAt(0) : 0;
});

/**
 * Bytes of a field value or reason phrase (RFC 9110 §5.5): HTAB, SP, VCHAR and
 * obs-text. All other controls are refused, not only NUL, CR and LF.
 */
export const FIELD_VALUE: Uint8Array = tableOf((byte) =>
  byte === HTAB || (byte >= SP && byte !== 0x7f)
);

/**
 * Bytes of a request target: visible ASCII without `#`, which never reaches an
 * origin (RFC 9112 §3.2; CVE-2023-45539).
 */
export const TARGET: Uint8Array = tableOf((byte, char) =>
  byte > SP && byte < 0x7f && char !== "#"
);

/**
 * reg-name without its percent escapes (RFC 3986 §3.2.2), and without the comma:
 * a list of hosts is an attack (RFC 9110 §7.2).
 */
export const REG_NAME: Uint8Array = tableOf((_, char) =>
  ("-._~!$&'()*+;=" + DIGITS + LETTERS).includes(char)
);

/** qdtext (RFC 9110 §5.6.4). */
export const QUOTED_TEXT: Uint8Array = tableOf((byte) =>
  FIELD_VALUE[byte] === 1 && byte !== QUOTE && byte !== BACKSLASH
);

/** The value of a hexadecimal digit, -1 where it is none. */
export const HEX: Int8Array = Int8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte).toLowerCase();
  return "0123456789abcdef".indexOf(char);
});
