/**
 * Streams of lines.
 *
 * @module
 */

/** The lines of a text; a last one without an end is one too. */
export async function* lines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncIterable<string> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const complete = text.split("\n");
    text = complete.pop()!;
    yield* complete;
  }
  if (text !== "") yield text;
}
