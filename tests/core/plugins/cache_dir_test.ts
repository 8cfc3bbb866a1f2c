import { defaultCacheDir } from "../../../core/plugins/cache_dir.ts";
import { assertEquals } from "../../support/assert.ts";

function cacheDir(env: Record<string, string>): string {
  return defaultCacheDir({ get: (name) => env[name] });
}

Deno.test("defaultCacheDir prefers HEADRACE_CACHE, then XDG_CACHE_HOME, then the home folder", () => {
  const env = { HEADRACE_CACHE: "/h", XDG_CACHE_HOME: "/x", HOME: "/home/me" };
  assertEquals(cacheDir(env), "/h");
  assertEquals(cacheDir({ ...env, HEADRACE_CACHE: "" }), "/x/headrace");
  assertEquals(cacheDir({ HOME: "/home/me" }), "/home/me/.cache/headrace");
});

Deno.test("defaultCacheDir takes HEADRACE_CACHE as a path in the working folder", () => {
  assertEquals(cacheDir({ HEADRACE_CACHE: "c" }), `${Deno.cwd()}/c`);
});

Deno.test("defaultCacheDir ignores a relative XDG_CACHE_HOME", () => {
  const env = { XDG_CACHE_HOME: "relative", HOME: "/home/me" };
  assertEquals(cacheDir(env), "/home/me/.cache/headrace");
});

Deno.test("defaultCacheDir names a folder in an empty environment too", () => {
  assertEquals(cacheDir({}), `${Deno.cwd()}/.headrace-cache`);
});
