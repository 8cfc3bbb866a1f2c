/**
 * Where plugins come from: the forms of `plugins[].use`.
 *
 * @module
 */
import { isLoopback } from "../net/address.ts";
import { text } from "./scalars.ts";
import type { Scalar } from "./scalars.ts";
import { ValueError } from "./value_error.ts";

/** A URL, `builtin:NAME`, or a path that can be told from a bare name. */
export function pluginUse(description: string): Scalar<string> {
  const use = text(description);
  return {
    ...use,
    parse(value) {
      const written = use.parse(value);
      checkUse(written);
      return written;
    },
  };
}

/** Whether `use` is plain http to another machine: only a pin makes that safe. */
export function needsIntegrity(use: string): boolean {
  if (!/^http:/i.test(use) || !URL.canParse(use)) return false;
  const hostname = new URL(use).hostname.replace(/^\[|\]$/g, "");
  return !isLoopback({ kind: "tcp", hostname, port: 0, lastPort: 0 });
}

function checkUse(use: string): void {
  // One letter before the colon is a drive of Windows, not a scheme.
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]+):/.exec(use)?.[1]?.toLowerCase();
  const rest = use.slice((scheme?.length ?? -1) + 1);
  switch (scheme) {
    case "http":
    case "https":
      if (/^\/\/[^/]/.test(rest) && URL.canParse(use)) return;
      throw new ValueError(`Expected ${scheme}://host/path`);
    case "file":
      if (rest.startsWith("/") && URL.canParse(use)) return;
      throw new ValueError("Expected file:///path");
    case "npm":
    case "jsr":
      if (/^\/?(@[^\s/@]+\/)?[^\s/@]+(@[^\s/]+)?(\/\S*)?$/.test(rest)) return;
      throw new ValueError(`Expected ${scheme}: and a package's name`);
    case "data":
      if (rest.includes(",")) return;
      throw new ValueError("Expected data:text/javascript,CODE");
    case "builtin":
      if (/^[a-z][a-z0-9-]*$/.test(rest)) return;
      throw new ValueError("Expected builtin: and a name in small letters");
    case undefined:
      if (/^\.{0,2}\//.test(use)) return;
      throw new ValueError(
        "Expected a URL, or a path that begins with ./, ../ or /",
        /[\\/.]/.test(use) ? `./${use}` : `builtin:${use}`,
      );
    default:
      // In localhost:8000/x.ts the host looks like a scheme.
      throw new ValueError(
        "Expected https:, http:, file:, npm:, jsr:, data:, builtin: or a path",
        /^\d+\//.test(rest) ? `http://${use}` : undefined,
      );
  }
}
