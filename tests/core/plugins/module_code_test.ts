import {
  loadModuleReader,
  ModuleTextError,
} from "../../../core/plugins/module_code.ts";
import {
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

const read = await loadModuleReader();

function specifiers(source: string): string[] {
  return read(source, "ts").imports.map(({ specifier }) => specifier);
}

Deno.test("ModuleReader drops every form of type import", () => {
  const source = `
import type { A } from "./1.ts";
import type B from "./2.ts";
import { type C } from "./3.ts";
import { type D, E } from "./4.ts";
import F from "./5.ts";
export type { G } from "./6.ts";
export { type H } from "./7.ts";
export type * from "./8.ts";
type I = import("./9.ts").I;
const a: A = f as unknown as B;
export const e = (x: E, y: F) => x satisfies C;
`;
  assertEquals(specifiers(source), []);
});

Deno.test("ModuleReader finds every form of value import", () => {
  const source = `
import "./1.ts";
import a, { type B, c } from "./2.ts";
import * as d from "./3.ts";
export { e } from "./4.ts";
export * from "./5.ts";
export * as f from "./6.ts";
console.log(a, c, d, await import("./7.ts"), a! / 2, await import("./8.ts",));
// import "./not.ts";
const text = 'import "./not.ts"';
`;
  assertEquals(
    specifiers(source),
    ["1", "2", "3", "4", "5", "6", "7", "8"].map((n) => `./${n}.ts`),
  );
});

Deno.test("ModuleReader gives the range of the specifier with its quotes and its place in the source", () => {
  const source =
    `const a: number = 1;\nexport const b: number = (await import('./b.ts')).b;\nexport * from "./c.ts";`;
  const { code, imports } = read(source, "ts");
  assertEquals(
    imports.map(({ start, end, at }) => [code.slice(start, end), at]),
    [["'./b.ts'", "2:41"], [`"./c.ts"`, "3:16"]],
  );
});

Deno.test("ModuleReader keeps the number of lines", () => {
  const source =
    `interface A {\n  a: string;\n}\nenum B {\n  X,\n}\nabstract class C {\n  abstract d(): void;\n}\nexport const e = 1;`;
  const { code } = read(source, "ts");
  assertEquals(code.split("\n").length, source.split("\n").length);
  assertEquals(code.split("\n")[9], "export const e = 1;");
});

Deno.test("ModuleReader leaves JavaScript as it is", () => {
  const source = `import x from "./unused.js";\nusing y = z;`;
  const { code, imports } = read(source, "js");
  assertEquals(code, source);
  assertEquals(imports.length, 1);
});

Deno.test("ModuleReader transpiles JSX", () => {
  const { code } = read(`export const a = (b: string) => <p>{b}</p>;`, "tsx");
  assertStringIncludes(code, "React.createElement('p'");
});

Deno.test("ModuleReader knows imports of JSON, static and dynamic", () => {
  const source = `
import a from "./a.json" with { type: "json" };
const b = await import("./b.json", { with: { "type": 'json' } });
import "./c.js";
`;
  const { imports } = read(source, "js");
  assertEquals(imports.map(({ json }) => json), [true, true, false]);
});

Deno.test("ModuleReader refuses attributes that it can't read", () => {
  const sources = [
    `import a from "./a.txt" with { type: "text" };`,
    `await import("./a.json", options);`,
  ];
  for (const source of sources) {
    const error = assertThrows(() => read(source, "js"), ModuleTextError);
    assertEquals(error.code, "unsupported_attribute");
  }
});

Deno.test("ModuleReader refuses computed imports", () => {
  for (const argument of ["name", "`./a.js`", `"./" + name`]) {
    const error = assertThrows(
      () => read(`\n  await import(${argument});`, "js"),
      ModuleTextError,
    );
    assertEquals(error.code, "computed_import");
    assertEquals(error.at, "2:16");
  }
});
