/**
 * The version, for `--version`, the admin interface and logs.
 *
 * @module
 */

/** As in deno.json; a test holds the two together. */
export const VERSION = "0.1.0";
