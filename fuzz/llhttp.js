// Reads what `serin-fuzz dump` prints and gives each message to Node's HTTP server, whose parser (llhttp) shares nothing
// with ours. Each must be exactly one message with the same method, target and body, or be refused. Prints
// `same=N refused=N` and every difference; ends with 1 when there is one.
'use strict';
const http = require('http');
const { Duplex } = require('stream');
const { createInterface } = require('readline');

const text = (hex) => Buffer.from(hex, 'hex').toString('latin1');

// A connection that brings `bytes` and then ends; what is written to it is dropped.
function connection(bytes) {
  const stream = new Duplex({ read() {}, write(chunk, encoding, done) { done(); }, allowHalfOpen: true });
  stream.setTimeout = () => stream;
  stream.setNoDelay = () => stream;
  stream.push(bytes);
  stream.push(null);
  return stream;
}

// The messages that the server sees in `bytes`: method, target, body, and whether it was whole.
function understood(server, bytes) {
  return new Promise((resolve) => {
    const seen = [];
    const stream = connection(bytes);
    stream.seen = seen;
    stream.on('error', () => {});
    stream.on('close', () => resolve(seen));
    server.emit('connection', stream);
  });
}

function onRequest(request, response) {
  const message = { method: request.method, target: request.url, body: '', whole: false };
  request.socket.seen.push(message);
  request.setEncoding('latin1');
  request.on('data', (data) => { message.body += data; });
  request.on('end', () => { message.whole = request.complete; response.end(); });
  request.on('error', () => {});
  response.on('error', () => {});
}

async function main() {
  const server = http.createServer({ maxHeaderSize: 128 * 1024, keepAliveTimeout: 1 }, onRequest);
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  server.on('upgrade', (request, socket) => {
    socket.seen.push({ method: request.method, target: request.url, body: '', whole: true });
    socket.destroy();
  });
  server.on('clientError', (error, socket) => socket.destroy());
  let same = 0, refused = 0, wrong = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const [whole, method, target, body, bytes] = line.split(' ');
    const seen = await understood(server, Buffer.from(bytes, 'hex'));
    const first = seen[0];
    const agrees = first && first.method === text(method) && first.target === text(target)
      && first.body === text(body) && first.whole === (whole === 'whole');
    if (seen.length === 0) refused += 1;
    else if (seen.length === 1 && agrees) same += 1;
    // What it refuses half-way, or waits for the rest of, was never a whole message to it.
    else if (seen.length === 1 && !first.whole && text(body).startsWith(first.body)) refused += 1;
    else {
      wrong += 1;
      if (wrong <= 5) console.log(`differs: sent ${JSON.stringify(text(bytes))} seen ${JSON.stringify(seen)}`);
    }
  }
  console.log(`same=${same} refused=${refused} wrong=${wrong}`);
  process.exit(wrong === 0 && same > 0 ? 0 : 1);
}

main();
