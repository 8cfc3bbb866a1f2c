import {
  PermissionError,
  permissionFlags,
} from "../../../core/compile/permissions.ts";
import { loadConfig } from "../../../core/config/load.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

const ALWAYS = ["--allow-env", "--allow-net", "--allow-read"];
const WRITING = [...ALWAYS, "--allow-write"];

async function configOf(parts: object) {
  const { config, problems } = await loadConfig({
    path: "test.yaml",
    text: JSON.stringify({
      listeners: [{ name: "web", address: "127.0.0.1:8080" }],
      clusters: [{ name: "main", backends: [{ url: "http://127.0.0.1:1" }] }],
      ...parts,
    }),
    env: () => undefined,
  });
  assert(config, JSON.stringify(problems));
  return config;
}

Deno.test("permissionFlags: a config that writes nothing gets net, read and env", async () => {
  const parts = [
    {},
    { plugins: [{ use: "./a.ts", options: { path: "/x" } }] },
    { plugins: [{ use: "builtin:access-log" }] },
  ];
  for (const part of parts) {
    assertEquals(permissionFlags(await configOf(part), []), ALWAYS);
  }
});

Deno.test("permissionFlags: files that are written and unix sockets take write", async () => {
  const backend = { url: "http://127.0.0.1:1" };
  const parts = [
    { listeners: [{ name: "web", address: "unix:/run/web.sock" }] },
    { admin: { address: "unix:/run/admin.sock" } },
    { clusters: [{ name: "main", backends: [{ url: "unix:/run/app.sock" }] }] },
    {
      clusters: [{
        name: "main",
        backends: [backend],
        requestBuffer: { bytes: "1KiB", disk: "1MiB" },
      }],
    },
    { plugins: [{ use: "builtin:access-log", options: { path: "a.log" } }] },
  ];
  for (const part of parts) {
    assertEquals(permissionFlags(await configOf(part), []), WRITING);
  }
  assertEquals(permissionFlags(undefined, []), WRITING);
});

Deno.test("permissionFlags: what is asked for comes on top", async () => {
  const config = await configOf({});
  const rows: [string[], string[]][] = [
    [["write"], WRITING],
    [["write=/var/log"], [...ALWAYS, "--allow-write=/var/log"]],
    [["run=git", "sys"], [...ALWAYS, "--allow-run=git", "--allow-sys"]],
    // What is granted whole is not narrowed.
    [["net=example.com"], ALWAYS],
    [["ffi", "all"], ["--allow-all"]],
  ];
  for (const [asked, flags] of rows) {
    assertEquals(permissionFlags(config, asked), flags);
  }
});

Deno.test("permissionFlags refuses what is no permission", () => {
  for (const asked of ["", "everything", "write=", "all=x", "-A", "net,run"]) {
    const error = assertThrows(
      () => permissionFlags(undefined, [asked]),
      PermissionError,
    );
    assertStringIncludes(error.message, JSON.stringify(asked));
  }
});
