import {
  PermissionError,
  permissionFlags,
} from "../../../core/compile/permissions.ts";
import {
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

const USUAL = [
  "--allow-env",
  "--allow-net",
  "--allow-read",
  "--allow-sys=uid",
  "--allow-write",
];

Deno.test("permissionFlags: what is asked for comes on top of what is needed", () => {
  const rows: [string[], string[]][] = [
    [[], USUAL],
    [["run=git"], [...USUAL.slice(0, 3), "--allow-run=git", ...USUAL.slice(3)]],
    [["ffi"], ["--allow-env", "--allow-ffi", ...USUAL.slice(1)]],
    // Limited ones add up, and what is granted whole is not narrowed.
    [["net=example.com", "write=/var/log"], USUAL],
    [
      ["sys=hostname", "sys=osRelease"],
      [...USUAL.slice(0, 3), "--allow-sys=uid,hostname,osRelease", USUAL[4]!],
    ],
    [["sys"], [...USUAL.slice(0, 3), "--allow-sys", USUAL[4]!]],
    [["ffi", "all"], ["--allow-all"]],
  ];
  for (const [asked, flags] of rows) {
    assertEquals(permissionFlags(asked), flags);
  }
});

Deno.test("permissionFlags refuses what is no permission", () => {
  for (const asked of ["", "everything", "write=", "all=x", "-A", "net,run"]) {
    const error = assertThrows(() => permissionFlags([asked]), PermissionError);
    assertStringIncludes(error.message, JSON.stringify(asked));
  }
});
