/**
 * A client for Node: asks for /0, /1, … of 127.0.0.1, several at a time over
 * connections that are kept, and tells on standard output what its parser makes
 * of the answers, a line of JSON each. Arguments: port, number of requests.
 * Every fifth is HEAD.
 */
import { Agent, request } from "node:http";

const LANES = 8;
const [port, count] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: LANES });
let next = 0;

function ask(number) {
  return new Promise((resolve) => {
    const interim = [];
    const tell = (event) => {
      process.stdout.write(
        `${JSON.stringify({ number, interim, ...event })}\n`,
      );
      resolve();
    };
    const asked = request({
      host: "127.0.0.1",
      port,
      agent,
      path: `/${number}`,
      method: number % 5 === 4 ? "HEAD" : "GET",
      maxHeaderSize: 1 << 20,
    }, (response) => {
      const { statusCode: status, statusMessage: reason, rawHeaders: fields } =
        response;
      const pieces = [];
      const finish = (complete) =>
        tell({
          status,
          reason,
          fields,
          body: Buffer.concat(pieces).toString("latin1"),
          complete,
        });
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => finish(true));
      response.on("error", () => finish(false));
    });
    asked.on("information", ({ statusCode }) => interim.push(statusCode));
    asked.on("error", (error) => tell({ error: error.code ?? error.message }));
    asked.end();
  });
}

async function lane() {
  while (next < count) await ask(next++);
}

await Promise.all(Array.from({ length: LANES }, lane));
agent.destroy();
