/**
 * A server for Node: tells on standard output what its parser makes of what
 * comes, a line of JSON for each event; text is latin1. Ends with its standard
 * input.
 */
import { createServer, METHODS } from "node:http";

const connections = new WeakMap();
let opened = 0;

function tell(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** What is told of a request: once, at its end or its connection's. */
function note(request, pieces, complete) {
  if (request.noted) return;
  request.noted = true;
  tell({
    event: "request",
    connection: connections.get(request.socket),
    method: request.method,
    target: request.url,
    fields: request.rawHeaders,
    body: Buffer.concat(pieces).toString("latin1"),
    complete,
  });
}

const server = createServer({
  // Its parser is what is asked for here, not its limits.
  maxHeaderSize: 1 << 20,
  keepAliveTimeout: 600_000,
  headersTimeout: 0,
  requestTimeout: 0,
}, (request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  const answer = () => {
    const transaction = request.headers["x-transaction"];
    if (transaction !== undefined) {
      response.setHeader("x-recorded", transaction);
    }
    response.end("ok");
  };
  // Who wants it is answered before the body is there.
  const early = request.headers["x-early"] !== undefined;
  if (early) answer();
  request.on("end", () => {
    note(request, pieces, true);
    if (!early) answer();
  });
  request.on("error", () => note(request, pieces, false));
  request.on("close", () => note(request, pieces, request.complete));
});
server.maxHeadersCount = 0;
server.on("connection", (socket) => connections.set(socket, ++opened));
server.on("connect", (request, socket) => {
  note(request, [], true);
  socket.destroy();
});
server.on("clientError", (error, socket) => {
  tell({
    event: "error",
    connection: connections.get(socket),
    code: error.code,
    packet: error.rawPacket?.toString("latin1") ?? "",
  });
  socket.destroy();
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  tell({
    event: "listening",
    port,
    version: process.version,
    methods: METHODS,
  });
});
process.stdin.on("end", () => process.exit()).resume();
