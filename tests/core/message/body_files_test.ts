/**
 * Whole bodies, in memory and on disk, and what goes wrong with disks.
 *
 * @module
 */
import fc from "fast-check";
import { ProxyError } from "../../../core/errors.ts";
import type { BodyReader } from "../../../core/message/body.ts";
import {
  type BodyFile,
  type BodyFiles,
  TemporaryFiles,
} from "../../../core/message/body_files.ts";
import { bufferBody } from "../../../core/message/buffered_body.ts";
import { assert, assertEquals, assertRejects } from "../../support/assert.ts";
import { pieces, PiecesBody } from "../../support/pieces_body.ts";

/** Files in a folder of the test's own. */
async function ownFiles() {
  const folder = await Deno.makeTempDir({ prefix: "headrace-test-" });
  return {
    folder,
    files: new TemporaryFiles(folder),
    names: () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function readAll(body: BodyReader): Promise<number[]> {
  const bytes: number[] = [];
  for (;;) {
    if (!(body.advance() || await body.next())) return bytes;
    bytes.push(...body.bytes.subarray(body.start, body.end));
    if (body.last) return bytes;
  }
}

const PIECES = Array.from({ length: 4 }, (_, i) => ({
  bytes: [i, i, i],
  atHand: false,
}));
const WHOLE = PIECES.flatMap(({ bytes }) => bytes);
const LIMITS = { bytes: 4, disk: 100 };

Deno.test("bufferBody: what goes in comes out, again and again, wherever it lies", async () => {
  await using own = await ownFiles();
  await fc.assert(fc.asyncProperty(
    pieces,
    fc.nat(70),
    async (pieces, bytes) => {
      const whole = pieces.flatMap(({ bytes }) => bytes);
      const body = await bufferBody(
        new PiecesBody(pieces, true),
        { bytes, disk: 64 },
        own.files,
      );
      assertEquals(body.length, whole.length);
      assertEquals([...await body.read()], whole);
      assertEquals(await readAll(body), whole);
      body.rewind();
      assertEquals(await readAll(body), whole);
      assertEquals(own.names(), []);
      body.dispose();
    },
  ));
});

Deno.test("bufferBody: a handler may look into it while it is sent", async () => {
  await using own = await ownFiles();
  const body = await bufferBody(
    new PiecesBody(PIECES, true),
    LIMITS,
    own.files,
  );
  const looks = Array.from({ length: 20 }, () => body.read());
  const sent = readAll(body);
  for (const look of looks) assertEquals([...await look], WHOLE);
  assertEquals(await sent, WHOLE);
  body.dispose();
});

Deno.test("bufferBody: body_too_large beyond both bounds, and the file is closed", async () => {
  await using own = await ownFiles();
  const error = await assertRejects(
    () =>
      bufferBody(
        new PiecesBody(PIECES, true),
        { bytes: 4, disk: 7 },
        own.files,
      ),
    ProxyError,
  );
  // An open file would be a leak that the sanitizer tells of.
  assertEquals(error.code, "body_too_large");
});

Deno.test("bufferBody: once it is disposed of it can't be read, and says so", async () => {
  await using own = await ownFiles();
  const body = await bufferBody(
    new PiecesBody(PIECES, true),
    LIMITS,
    own.files,
  );
  body.dispose();
  body.dispose();
  await assertRejects(() => body.read(), ProxyError, "over");
});

/** Files that fail at one step, and count those that are open. */
class FailingFiles implements BodyFiles {
  openFiles = 0;
  readonly #at: keyof BodyFile | "open" | "nothing";
  readonly #files: BodyFiles;

  constructor(at: keyof BodyFile | "open" | "nothing", files: BodyFiles) {
    this.#at = at;
    this.#files = files;
  }

  async open(): Promise<BodyFile> {
    const fail = (step: string) => {
      if (step !== this.#at) return;
      throw Object.assign(new Error("No space left on device"), {
        code: "ENOSPC",
      });
    };
    fail("open");
    const file = await this.#files.open();
    this.openFiles++;
    let writes = 0;
    return {
      // The first write fits, as it does on a disk that fills up; one byte at a
      // time, as any write may be partial.
      write: (bytes) => {
        if (writes++ > 1) fail("write");
        return file.write(bytes.subarray(0, 1));
      },
      read: (bytes) => {
        fail("read");
        return file.read(bytes.subarray(0, 1));
      },
      seek: (...where) => {
        fail("seek");
        return file.seek(...where);
      },
      close: () => {
        this.openFiles--;
        file.close();
      },
    };
  }
}

for (const step of ["open", "write"] as const) {
  Deno.test(`bufferBody: buffer_failed where ${step} fails, and no file stays open`, async () => {
    await using own = await ownFiles();
    const files = new FailingFiles(step, own.files);
    const error = await assertRejects(
      () => bufferBody(new PiecesBody(PIECES, true), LIMITS, files),
      ProxyError,
      "No space left on device",
    );
    assertEquals([error.code, error.status], ["buffer_failed", 503]);
    assertEquals([files.openFiles, own.names()], [0, []]);
  });
}

for (const step of ["read", "seek"] as const) {
  Deno.test(`BufferedBody: buffer_failed where ${step} fails, again and again`, async () => {
    await using own = await ownFiles();
    const files = new FailingFiles(step, own.files);
    const body = await bufferBody(new PiecesBody(PIECES, true), LIMITS, files);
    for (let i = 0; i < 2; i++) {
      const error = await assertRejects(() => readAll(body), ProxyError);
      assertEquals(error.code, "buffer_failed");
      await assertRejects(() => body.read(), ProxyError);
      body.rewind();
    }
    body.dispose();
    assertEquals(files.openFiles, 0);
  });
}

Deno.test("bufferBody: writes and reads that are partial make the whole", async () => {
  await using own = await ownFiles();
  const files = new FailingFiles("nothing", own.files);
  const body = await bufferBody(new PiecesBody(PIECES, true), LIMITS, files);
  assertEquals(await readAll(body), WHOLE);
  assertEquals([...await body.read()], WHOLE);
  body.dispose();
});

/** The number of a process that is dead. */
async function deadPid(): Promise<number> {
  const child = new Deno.Command("true").spawn();
  await child.status;
  return child.pid;
}

Deno.test("TemporaryFiles.removeStale: what dead processes left goes, what live ones use stays", async () => {
  await using own = await ownFiles();
  const dead = await deadPid();
  const names = [
    `headrace-body-${dead}-a`,
    `headrace-body-${Deno.pid}-b`,
    "headrace-body-1-c",
    `headrace-cache-${dead}`,
    "other",
  ];
  for (const name of names) {
    await Deno.writeTextFile(`${own.folder}/${name}`, "");
  }
  await own.files.removeStale();
  assertEquals(own.names(), [
    "headrace-body-1-c",
    `headrace-cache-${dead}`,
    "other",
  ]);
  const file = await own.files.open();
  assert(own.names().length === 3);
  file.close();
});
