/**
 * What the system does for a connection.
 *
 * @module
 */

import { eventually } from "./eventually.ts";

/** The ports of a connection, from the end whose options are asked about. */
export interface EndPorts {
  readonly local: number;
  readonly remote: number;
}

/** One that sends again what was not acknowledged yet; the others wait for it. */
const RETRANSMISSION = "01";
const KEEP_ALIVE = "02";

/** Whether the kernel keeps a connection's peer alive: which of its timers runs says so. */
export async function isKeptAlive({ local, remote }: EndPorts) {
  const hex = (port: number) =>
    `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const timer = await eventually("all to be acknowledged", async () => {
    const table = await Deno.readTextFile("/proc/self/net/tcp");
    const fields = table.split("\n").map((line) => line.trim().split(/\s+/))
      .find((fields) =>
        fields[1]?.endsWith(hex(local)) && fields[2]?.endsWith(hex(remote))
      );
    const [timer] = fields![5]!.split(":");
    return timer !== RETRANSMISSION && timer;
  });
  return timer === KEEP_ALIVE;
}

/** The ports of our end of a connection. */
export function portsOf({ localAddr, remoteAddr }: Deno.TcpConn): EndPorts {
  const [local, remote] = [localAddr, remoteAddr] as Deno.NetAddr[];
  return { local: local!.port, remote: remote!.port };
}
