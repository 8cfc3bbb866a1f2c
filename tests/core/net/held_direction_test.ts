import { ProxyError } from "../../../core/errors.ts";
import {
  type Analyser,
  HeldDirection,
} from "../../../core/net/held_direction.ts";
import type { Socket } from "../../../core/net/socket.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { latin1Bytes } from "../../support/latin1.ts";
import { pipedSocket } from "../../support/piped_socket.ts";

/** Is done when so many bytes are held; tells what it saw. */
function wants(
  socket: Socket,
  bytes: number,
  seen: string[],
  deadline?: Analyser["deadline"],
): Analyser {
  return {
    deadline,
    analyse() {
      seen.push(`${bytes}:${socket.held}`);
      return socket.held >= bytes ? "done" : "more";
    },
    ended() {
      throw new ProxyError("bad_request", `ended before ${bytes}`);
    },
    full() {
      throw new ProxyError("headers_too_large", `full before ${bytes}`);
    },
  };
}

Deno.test("HeldDirection.release() runs analysers in order, each when the one before is done, and lets nothing go", async () => {
  const { socket, peer } = pipedSocket();
  const seen: string[] = [];
  const held = new HeldDirection(socket, {
    interruptible: false,
    released: () => "released",
  });
  held.hold([wants(socket, 2, seen), wants(socket, 4, seen)]);
  const released = held.release();
  assert(released instanceof Promise);
  assertEquals([seen.splice(0), held.autonomous], [["2:0"], false]);
  await peer.write(latin1Bytes("abc"));
  await peer.write(latin1Bytes("de"));
  assertEquals(await released, "released");
  assertEquals([seen[0], seen.at(-1)], ["2:3", "4:5"]);
  assertEquals([held.autonomous, socket.held], [true, 5]);
  socket.close();
});

Deno.test("HeldDirection.release() makes no promise where all is at hand", async () => {
  const { socket, peer } = pipedSocket();
  await peer.write(latin1Bytes("abcd"));
  await socket.fill();
  const held = new HeldDirection(socket, {
    interruptible: false,
    released: () => "released",
  });
  held.hold([wants(socket, 2, []), wants(socket, 4, [])]);
  assertEquals([held.release(), held.autonomous], ["released", true]);
  socket.close();
});

Deno.test("HeldDirection.bypass() takes out an analyser that waits, and one that is still to come", () => {
  const { socket } = pipedSocket();
  const first = wants(socket, 1, []);
  const second = wants(socket, 2, []);
  const held = new HeldDirection(socket, {
    interruptible: false,
    released: () => "released",
  });
  held.hold([first, second]);
  held.bypass(second);
  assertEquals(held.autonomous, false);
  held.bypass(first);
  assertEquals([held.autonomous, held.release()], [true, "released"]);
  held.bypass(first);
  assertEquals(held.autonomous, true);
  socket.close();
});

Deno.test("HeldDirection: a deadline is the waiting analyser's own, and the connection can still be answered", async () => {
  const { socket, peer, clock } = pipedSocket();
  const held = new HeldDirection(socket, {
    interruptible: true,
    released: () => "released",
  });
  const patience = (milliseconds: number) =>
    ({ milliseconds, code: "request_timeout" }) as const;
  held.hold([
    wants(socket, 1, [], patience(1_000)),
    wants(socket, 2, [], patience(5_000)),
  ]);
  const rejected = assertRejects(async () => await held.release(), ProxyError);
  await peer.write(latin1Bytes("a"));
  while (socket.held < 1) await new Promise((resolve) => setTimeout(resolve));
  clock.advance(1_200);
  assertEquals(socket.closed, false);
  clock.advance(5_000);
  assertEquals((await rejected).code, "request_timeout");
  assertEquals(socket.closed, false);
  socket.close();
});

Deno.test("HeldDirection: the end, and bytes that no buffer holds, are told as the analyser says", async () => {
  for (
    const [text, code] of [["a", "bad_request"], ["x", "headers_too_large"]]
  ) {
    const { socket, peer } = pipedSocket();
    const held = new HeldDirection(socket, {
      interruptible: false,
      released: () => "released",
    });
    held.hold([wants(socket, 1e6, [])]);
    const rejected = assertRejects(
      async () => await held.release(),
      ProxyError,
    );
    if (text === "a") {
      await peer.write(latin1Bytes(text));
      await peer.closeWrite();
    } else {
      const bytes = new Uint8Array(300_000);
      let at = 0;
      while (at < bytes.length && !socket.closed) {
        const wrote = peer.write(bytes.subarray(at));
        const count = await Promise.race([wrote, rejected.then(() => -1)]);
        if (count < 0) {
          wrote.catch(() => {});
          break;
        }
        at += count;
      }
    }
    assertEquals((await rejected).code, code);
    socket.close();
    peer.close();
  }
});

Deno.test("HeldDirection: what came behind the rest of the largest buffer has room for more where that was consumed", async () => {
  const { socket, peer } = pipedSocket();
  while (socket.enlarge()) { /* to the largest */ }
  while (socket.end < socket.bytes.length) {
    const written = peer.write(
      new Uint8Array(socket.bytes.length - socket.end),
    );
    await socket.fill();
    await written;
  }
  socket.start = socket.end - 2;
  const held = new HeldDirection(socket, {
    interruptible: false,
    released: () => socket.held,
  });
  held.hold([wants(socket, 4, [])]);
  const released = held.release();
  await peer.write(latin1Bytes("ab"));
  assertEquals(await released, 4);
  socket.close();
});
