/**
 * Alerts to clients that no TLS was begun with: why it goes no further.
 *
 * @module
 */

/** Descriptions of RFC 8446 §6.2. */
const DESCRIPTIONS = {
  handshake_failure: 40,
  decode_error: 50,
  unrecognized_name: 112,
  no_application_protocol: 120,
} as const;

/** A record with a fatal alert, in the version that every client understands. */
export function fatalAlert(
  description: keyof typeof DESCRIPTIONS,
): Uint8Array {
  return Uint8Array.of(21, 3, 1, 0, 2, 2, DESCRIPTIONS[description]);
}
