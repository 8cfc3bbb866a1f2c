/**
 * The one place that parses YAML: `@std/yaml` from npm comes without types.
 *
 * @module
 */
import { parse, YamlSyntaxError } from "@std/yaml";

const parseUntyped: (
  text: string,
  options?: { readonly allowDuplicateKeys?: boolean },
) => unknown = parse;

/** What YAML made of a text, or why it is none. */
export type YamlResult =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly error: Error };

/** Parses one document. With `allowDuplicateKeys` the last of them counts. */
export function parseYaml(
  text: string,
  options: { readonly allowDuplicateKeys?: boolean } = {},
): YamlResult {
  try {
    return { value: parseUntyped(text, options) };
  } catch (error) {
    if (!(error instanceof YamlSyntaxError)) throw error;
    return { error: error as Error };
  }
}
