import { configJsonSchema } from "../../../core/config/json_schema.ts";
import { assertEquals } from "../../support/assert.ts";

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

const schema = configJsonSchema() as Schema;

Deno.test("configJsonSchema is what config/headrace.schema.json holds", async () => {
  const file = new URL(
    "../../../config/headrace.schema.json",
    import.meta.url,
  );
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (Deno.env.get("UPDATE_GOLDEN") === "1") {
    await Deno.writeTextFile(file, text);
  }
  assertEquals(JSON.parse(await Deno.readTextFile(file)), JSON.parse(text));
});

Deno.test("configJsonSchema is of the draft that editors read", () => {
  assertEquals(
    (schema as { $schema?: string }).$schema,
    "http://json-schema.org/draft-07/schema#",
  );
});

Deno.test("configJsonSchema describes every key", () => {
  const bare: string[] = [];
  const walk = ({ properties = {}, items }: Schema, path: string) => {
    for (const [key, child] of Object.entries(properties)) {
      if (!child.description) bare.push(`${path}.${key}`);
      walk(child, `${path}.${key}`);
    }
    if (items !== undefined) walk(items, `${path}[]`);
  };
  walk(schema, "");
  assertEquals(bare, []);
});
