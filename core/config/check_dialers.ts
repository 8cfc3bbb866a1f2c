/**
 * Clusters whose WebSocket sessions go to a plugin's dialer.
 *
 * @module
 */
import type { Finding } from "./problem.ts";
import { child, entries, type Entry, has, root, textAt } from "./tree.ts";

/** Dialers that nobody brings, and keys that have no effect beside one. */
export function dialerFindings(tree: unknown): Finding[] {
  const top = root(tree);
  // Which ones plugins bring is known once they are loaded.
  const none = entries(top, "plugins").length === 0;
  return entries(top, "clusters").flatMap((cluster) => {
    const dialer = textAt(cluster, "dialer");
    if (dialer === undefined) return [];
    const websocket = child(cluster, "websocket");
    return [
      ...(none
        ? [{ ...dialer, message: "expected a dialer of one of the plugins" }]
        : []),
      ...(websocket === undefined ? [] : websocketFindings(websocket)),
    ];
  });
}

function websocketFindings(websocket: Entry): Finding[] {
  const findings: Finding[] = [];
  const refuse = (key: string, message: string) => {
    findings.push({ path: [...websocket.path, key], at: "key", message });
  };
  if (textAt(websocket, "mode")?.value === "tunnel") {
    refuse("mode", "expected session beside a dialer, which takes messages");
  }
  if (has(websocket, "replay") && websocket.value.replay !== "none") {
    refuse(
      "replay",
      "expected none beside a dialer: nobody can tell what its backends have read",
    );
  }
  if (has(websocket, "passHeaders")) {
    refuse(
      "passHeaders",
      "expected only without a dialer: its connections say what clients get",
    );
  }
  return findings;
}
