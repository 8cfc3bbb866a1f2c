/**
 * From a URL to the listener that its client comes to.
 *
 * @module
 */
import {
  DescriptionError,
  readUrl,
} from "../../../core/explain/described_request.ts";
import { findListener } from "../../../core/explain/find_listener.ts";
import { parseListenAddress } from "../../../core/net/address.ts";
import type { ListenerRuntime } from "../../../core/snapshot/snapshot.ts";
import {
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../support/assert.ts";

interface Entry {
  readonly name: string;
  readonly address: string;
  readonly protocol?: "http" | "tcp";
  readonly tls?: boolean;
}

function find(entries: readonly Entry[], url: string, name?: string) {
  const listeners = entries.map((
    { name, address, protocol = "http", tls },
  ) => ({
    name,
    protocol,
    config: {
      address: parseListenAddress(address),
      tls: tls ? {} : undefined,
    },
  } as unknown as ListenerRuntime));
  const found = findListener(
    listeners,
    readUrl(url),
    name,
    ({ address }) => [address],
  );
  return [found.listener.name, found.why];
}

const LISTENERS: readonly Entry[] = [
  { name: "local", address: "127.0.0.1:8080" },
  { name: "all", address: "0.0.0.0:80" },
  { name: "secure", address: "[::]:443", tls: true },
  { name: "range", address: "10.0.0.1:9000-9003" },
  { name: "db", address: "0.0.0.0:5432", protocol: "tcp" },
  { name: "socket", address: "unix:/run/x.sock" },
];

Deno.test("findListener: by port, and by address where the URL has one", () => {
  const rows = [
    ["http://a.example/", "all"],
    ["http://127.0.0.1/", "all"],
    ["http://a.example:8080/", "local"],
    ["http://localhost:8080/", "local"],
    ["http://127.0.0.1:8080/", "local"],
    ["https://a.example/", "secure"],
    ["https://[::1]/", "secure"],
    ["http://a.example:9002/", "range"],
    ["http://10.0.0.1:9003/", "range"],
    ["tcp://a.example:5432", "db"],
    // On the listener's port, but in the other scheme.
    ["http://a.example:443/", "secure"],
  ] as const;
  for (const [url, name] of rows) {
    const [found, why] = find(LISTENERS, url);
    assertEquals([url, found], [url, name]);
    assertStringIncludes(why!, "the URL leads to ");
  }
});

Deno.test("findListener: where no address fits, the first that speaks so, and says it", () => {
  assertEquals(find(LISTENERS, "http://10.0.0.9:8080/"), [
    "local",
    "no http listener is at 10.0.0.9:8080; it is the first one for http:",
  ]);
  assertEquals(find(LISTENERS, "https://[::1]:8443/"), [
    "secure",
    "no http listener is at [::1]:8443; it is the first one for https:",
  ]);
  assertEquals(find(LISTENERS, "tcp://a:1"), [
    "db",
    "no tcp listener is at a:1; it is the only one for tcp:",
  ]);
  assertEquals(find(LISTENERS.slice(0, 1), "https://a/"), [
    "local",
    "no http listener is at a:443; it is the only one",
  ]);
});

Deno.test("findListener: by name, whatever the URL leads to", () => {
  assertEquals(find(LISTENERS, "http://a/", "socket"), [
    "socket",
    "it was asked for by name",
  ]);
  for (
    const [url, name, reason] of [
      ["http://a/", "none", 'no listener called "none"'],
      ["http://a/", "db", "it speaks tcp"],
      ["tcp://a:1", "local", "it speaks http"],
    ] as const
  ) {
    const { message } = assertThrows(
      () => find(LISTENERS, url, name),
      DescriptionError,
    );
    assertStringIncludes(message, reason);
  }
});

Deno.test("findListener: says where nothing speaks the URL's protocol", () => {
  const { message } = assertThrows(
    () => find(LISTENERS.slice(0, 2), "tcp://a:1"),
    DescriptionError,
  );
  assertEquals(message, "The config has no tcp listener");
});
