/**
 * A new process that takes an address's lock over and does not come to the next
 * step: it says so and waits to be killed. Takes the folder and the address.
 *
 * @module
 */
import type { ListenerConfig } from "../../core/config/config.ts";
import { parseListenAddress } from "../../core/net/address.ts";
import { createLog } from "../../core/observe/log.ts";
import { ListenerLocks } from "../../core/takeover/listener_locks.ts";
import { Predecessors } from "../../core/takeover/predecessors.ts";

const [folder = "", address = ""] = Deno.args;
const listeners = [{
  name: "web",
  address: parseListenAddress(address),
  socket: { noDelay: true, keepAlive: true, backlog: 1 },
} as ListenerConfig];
using from = await Predecessors.find(folder, listeners);
const locks = new ListenerLocks({
  folder,
  holder: { pid: Deno.pid, control: `${folder}/${Deno.pid}.sock` },
  from: from.controls,
  log: createLog({ write: (line) => console.error(line) }),
});
await locks.commit(await locks.prepare(listeners));
await locks.takeOver();
console.log("taken", from.pids);
await new Promise((resolve) => setTimeout(resolve, 60_000));
