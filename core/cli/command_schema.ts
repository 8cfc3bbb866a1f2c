/**
 * `headrace schema`.
 *
 * @module
 */
import { configJsonSchema } from "../config/json_schema.ts";

/** Prints the JSON Schema of the config file. */
export function printSchema(): number {
  console.log(JSON.stringify(configJsonSchema(), null, 2));
  return 0;
}
