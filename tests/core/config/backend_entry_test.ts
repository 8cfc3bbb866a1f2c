import { checkBackendEntry } from "../../../core/config/backend_entry.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("checkBackendEntry fills in the file's defaults", async () => {
  const { backend, problems } = await checkBackendEntry(
    { url: "ws://H:1/a/", weight: 3 },
    { protocol: "http" },
  );
  assertEquals(problems, []);
  const { url, id, weight, maxConnections, backup } = backend!;
  assertEquals(
    [url.href, id, weight, maxConnections, backup],
    ["http://h:1/a", "h:1", 3, undefined, false],
  );
});

for (
  const [entry, ...problems] of [
    [null, "backend: expected a mapping, is empty"],
    [[1], "backend: expected a mapping, is a list"],
    [{}, "backend url: is required"],
    [
      { url: "garbage" },
      'backend url: expected http://host:port, https://host:port, tcp://host:port or unix:/path, is "garbage"',
    ],
    [
      { url: "http://u:secret@a:1" },
      'backend url: expected a URL without user name and password, is "http://***@a:1"',
    ],
    [
      { url: "http://${HOME}:1" },
      'backend url: expected a host name or an IP address (IPv6 in brackets) in the URL, is "http://${HOME}:1"',
    ],
    [
      { url: "http://a:1", weight: -1, idd: "x" },
      "backend weight: expected a whole number from 0 to 10000, is -1",
      'backend idd: unknown key, did you mean "id"?',
    ],
    [
      { url: "tcp://a:1" },
      'backend url: expected http://host:port: this cluster gets requests of http listeners, is "tcp://a:1"',
    ],
  ] as const
) {
  Deno.test(`checkBackendEntry refuses ${JSON.stringify(entry)}`, async () => {
    const result = await checkBackendEntry(entry, { protocol: "http" });
    assertEquals(result, { backend: undefined, problems: [...problems] });
  });
}

Deno.test("checkBackendEntry takes tcp:// for a cluster of bytes", async () => {
  const { backend } = await checkBackendEntry(
    { url: "tcp://a:1" },
    { protocol: "tcp" },
  );
  assertEquals(backend?.url.href, "tcp://a:1");
});
