/**
 * Reads requests only as far as a backend needs to that counts their bodies:
 * chunked ones, or of a Content-Length, or none.
 *
 * @module
 */

type State = "head" | "size" | "data" | "trailers" | "length";

/** Bytes of requests in, lengths of bodies out. */
export class UploadReader {
  #state: State = "head";
  /** The line under way. */
  #line = "";
  /** Bytes to come of a chunk or body. */
  #rest = 0;
  #bytes = 0;
  #chunked = false;
  #length = 0;

  /** The lengths of the bodies that ended in it. */
  read(bytes: Uint8Array): number[] {
    const ended: number[] = [];
    for (let at = 0; at < bytes.length;) {
      if (this.#rest > 0) {
        const count = Math.min(this.#rest, bytes.length - at);
        this.#rest -= count;
        this.#bytes += count;
        at += count;
        if (this.#rest === 0 && this.#state === "length") this.#end(ended);
        continue;
      }
      const byte = bytes[at++]!;
      if (byte !== 0x0a) {
        this.#line += String.fromCharCode(byte);
        continue;
      }
      const line = this.#line.trimEnd();
      this.#line = "";
      this.#take(line, ended);
    }
    return ended;
  }

  #take(line: string, ended: number[]): void {
    switch (this.#state) {
      case "head":
        this.#takeHead(line, ended);
        break;
      case "size":
        this.#rest = parseInt(line, 16);
        if (Number.isNaN(this.#rest)) throw new Error(`No size: ${line}`);
        this.#state = this.#rest > 0 ? "data" : "trailers";
        break;
      case "data":
        // The line end behind a chunk.
        this.#state = "size";
        break;
      case "trailers":
        if (line === "") this.#end(ended);
        break;
    }
  }

  #takeHead(line: string, ended: number[]): void {
    if (line !== "") {
      const [name, value] = line.toLowerCase().split(/:\s*/);
      if (name === "transfer-encoding") this.#chunked = value === "chunked";
      if (name === "content-length") this.#length = Number(value);
    } else if (this.#chunked) {
      this.#state = "size";
    } else if (this.#length > 0) {
      this.#state = "length";
      this.#rest = this.#length;
    } else {
      this.#end(ended);
    }
  }

  #end(ended: number[]): void {
    ended.push(this.#bytes);
    this.#state = "head";
    this.#bytes = 0;
    this.#length = 0;
    this.#chunked = false;
  }
}
