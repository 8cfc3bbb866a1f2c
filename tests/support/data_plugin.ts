/**
 * Plugins of a test as URLs.
 *
 * @module
 */

/** A `data:` URL of a module in JavaScript. */
export function dataPlugin(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
