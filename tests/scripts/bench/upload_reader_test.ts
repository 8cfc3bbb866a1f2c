import { UploadReader } from "../../../scripts/bench/upload_reader.ts";
import { assertEquals } from "../../support/assert.ts";

const REQUESTS = new TextEncoder().encode(
  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "a\r\n0123456789\r\n5\r\n\r\n0\r\n\r\n0\r\n\r\n" +
    "GET /b HTTP/1.1\r\nHost: b\r\n\r\n" +
    "PUT /c HTTP/1.1\r\nContent-Length: 7\r\n\r\n\n\n\n\n\n\n\n" +
    "POST /d HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: t\r\n\r\n",
);

Deno.test("upload reader: bodies are counted wherever the bytes are cut", () => {
  for (let cut = 0; cut <= REQUESTS.length; cut++) {
    const reader = new UploadReader();
    const lengths = [
      ...reader.read(REQUESTS.subarray(0, cut)),
      ...reader.read(REQUESTS.subarray(cut)),
    ];
    assertEquals(lengths, [15, 0, 7, 1], `cut at ${cut}`);
  }
});

Deno.test("upload reader: bodies are counted byte by byte", () => {
  const reader = new UploadReader();
  const lengths = [...REQUESTS].flatMap((byte) =>
    reader.read(new Uint8Array([byte]))
  );
  assertEquals(lengths, [15, 0, 7, 1]);
});
