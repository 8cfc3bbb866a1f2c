/**
 * The config's JSON Schema, for editors and for "did you mean".
 *
 * @module
 */
import { z } from "zod";
import { configSchema } from "./schema.ts";

/**
 * The schema of the file as it is written (before defaults and units), in
 * draft 7: yaml-language-server reads no later one.
 */
export function configJsonSchema(): unknown {
  return {
    title: "Headrace config",
    ...z.toJSONSchema(configSchema, { io: "input", target: "draft-7" }),
  };
}
