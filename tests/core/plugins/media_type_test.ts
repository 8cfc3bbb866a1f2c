import { moduleType } from "../../../core/plugins/media_type.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("moduleType lets a media type decide and the extension complete it", () => {
  const cases: [string, string | undefined, string | undefined][] = [
    ["https://a.example/x.ts", undefined, "ts"],
    ["https://a.example/x.MTS", "", "ts"],
    ["https://a.example/x.tsx?v=1", "text/plain; charset=utf-8", "tsx"],
    ["https://a.example/x.ts", "video/mp2t", "ts"],
    ["https://a.example/x.tsx", "application/typescript", "tsx"],
    ["https://a.example/x.ts", "application/javascript", "js"],
    ["https://a.example/x", "Text/JavaScript;charset=utf-8", "js"],
    ["https://a.example/x.jsx", "text/javascript", "jsx"],
    ["https://a.example/x", "text/tsx", "tsx"],
    ["https://a.example/x", "application/manifest+json", "json"],
    ["file:///x.json", undefined, "json"],
    ["file:///x.mjs", undefined, "js"],
    ["file:///x.cjs", undefined, undefined],
    ["file:///x.constructor", undefined, undefined],
    ["file:///x", undefined, undefined],
    ["https://a.example/x.ts", "text/html", undefined],
    ["https://a.example/x.js", "application/wasm", undefined],
    ["data:text/javascript,x.ts", "text/plain", undefined],
  ];
  for (const [url, contentType, type] of cases) {
    assertEquals(moduleType(new URL(url), contentType), type, url);
  }
});
