// console as Lambda has it: every call is one log event.
'use strict';

const fs = require('fs');
const util = require('util');
const errors = require('./errors.cjs');

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const METHODS = { trace: 'TRACE', debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };

const asJSON = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
const threshold = (asJSON && LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()]) || 0;

// current is the running invocation.
const current = { requestId: undefined, tenantId: undefined };

const TEXT = 1;
const TIMED = 2;

// logs is the descriptor that lamb gives for framed events, or -1. The function
// does not see it.
let logs = Number.parseInt(process.env._LAMBDA_TELEMETRY_LOG_FD || '-1', 10);
delete process.env._LAMBDA_TELEMETRY_LOG_FD;
try {
  if (logs > 0) fs.fstatSync(logs);
} catch (e) {
  logs = -1; // whatever started this program has closed it
}

// write puts all of an event out before it returns, so that it is there even
// if the process ends next: as a frame, or else as a line, in which a line feed
// would end the event.
function write(level, message) {
  if (logs < 0) {
    writeAll(1, Buffer.from(`${message.replace(/\n/g, '\r')}\n`));
    return;
  }
  const length = Buffer.byteLength(message);
  const frame = Buffer.allocUnsafe(16 + length);
  frame.writeUInt32BE((0xa55a0000 | LEVELS[level] << 2 | TIMED | (asJSON ? 0 : TEXT)) >>> 0, 0);
  frame.writeUInt32BE(length, 4);
  frame.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
  frame.write(message, 16);
  writeAll(logs, frame);
}

function writeAll(fd, data) {
  let at = 0;
  while (at < data.length) {
    try {
      at += fs.writeSync(fd, data, at);
    } catch (e) {
      if (e.code !== 'EAGAIN') return; // nobody reads any more
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function text(level, message) {
  return `${new Date().toISOString()}\t${current.requestId}\t${level}\t${message}`;
}

function jsonLine(level, args) {
  const line = { timestamp: new Date().toISOString(), level };
  if (current.requestId !== undefined) line.requestId = current.requestId;
  if (current.tenantId !== undefined) line.tenantId = current.tenantId;
  if (args.length === 1) {
    line.message = args[0];
    try {
      return JSON.stringify(line, expandJSON);
    } catch (e) {
      line.message = util.format(args[0]); // circular
      return JSON.stringify(line);
    }
  }
  line.message = util.format(...args);
  const error = args.find(errors.isError);
  if (error) {
    line.errorType = errors.type(error);
    line.errorMessage = errors.text(error.message);
    line.stackTrace = errors.stackLines(error);
  }
  return JSON.stringify(line);
}

function expandJSON(key, value) {
  const out = errors.expand(key, value);
  if (out !== value && out && typeof out === 'object') {
    out.stackTrace = out.stack;
    delete out.stack;
  }
  return out;
}

function install() {
  for (const name of Object.keys(METHODS)) {
    const level = METHODS[name];
    if (LEVELS[level] < threshold) console[name] = () => {};
    else if (asJSON) console[name] = (...args) => write(level, jsonLine(level, args));
    else console[name] = (...args) => write(level, text(level, util.format(...args)));
  }
}

// error writes what the runtime says of a failure.
function error(words, err) {
  if (asJSON) write('ERROR', jsonLine('ERROR', [errors.isError(err) ? err : errors.payload(err)]));
  else write('ERROR', text('ERROR', `${words} ${errors.describe(err)}`));
}

module.exports = { install, error, current };
