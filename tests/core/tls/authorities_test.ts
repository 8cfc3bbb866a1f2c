/**
 * Authorities that are given stand alone: the well-known ones are not trusted
 * beside them.
 */
import { assertEquals } from "../../support/assert.ts";
import { makeAuthority } from "../../support/certificates.ts";
import type { ChildDial } from "../../support/dial_child.ts";
import { echo, serveTcpBackend } from "../../support/tcp_backend.ts";

const CHILD = new URL("../../support/dial_child.ts", import.meta.url);

Deno.test("BackendTls trusts the well-known authorities unless others are given, and then only those", async () => {
  const names = ["api.test"];
  const wellKnown = await makeAuthority("Well known");
  const own = await makeAuthority("Own");
  await using publicBackend = serveTcpBackend(echo, {
    identity: await wellKnown.issue({ names }),
  });
  await using ownBackend = serveTcpBackend(echo, {
    identity: await own.issue({ names }),
  });
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, wellKnown.cert);
  const dials: readonly (readonly [ChildDial, string])[] = [
    [{ port: publicBackend.port, ca: null }, "ok"],
    [{ port: ownBackend.port, ca: null }, "backend_untrusted"],
    [{ port: publicBackend.port, ca: own.cert }, "backend_untrusted"],
    [{ port: ownBackend.port, ca: own.cert }, "ok"],
    // From here on a certificate is known, and startTls trusts both.
    [{ port: ownBackend.port, ca: own.cert }, "ok"],
    [{ port: publicBackend.port, ca: own.cert }, "backend_untrusted"],
  ];
  const child = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--frozen",
      CHILD.href,
      JSON.stringify(dials.map(([dial]) => dial)),
    ],
    env: { DENO_CERT: file },
    stderr: "inherit",
  }).output();
  await Deno.remove(file);
  assertEquals(
    JSON.parse(new TextDecoder().decode(child.stdout)),
    dials.map(([, expected]) => expected),
  );
});
