/**
 * The configs in the doc headers of built-in plugins.
 *
 * @module
 */

/** The YAML block in the header of `plugins/NAME.ts`. Rejects where there is none. */
export async function docSample(name: string): Promise<string> {
  const file = new URL(`../../plugins/${name}.ts`, import.meta.url);
  const [, block] = /```yaml\n([^]*?)```/.exec(
    await Deno.readTextFile(file),
  ) ?? [];
  if (block === undefined) throw new Error(`${name} has no sample`);
  return block.replaceAll(/^ \* ?/gm, "");
}
