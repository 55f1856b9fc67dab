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

// write puts all of a line into standard output before it returns, so that a
// line is there even if the process ends next.
function write(line) {
  const data = Buffer.from(line);
  let at = 0;
  while (at < data.length) {
    try {
      at += fs.writeSync(1, data, at);
    } catch (e) {
      if (e.code !== 'EAGAIN') return; // nobody reads any more
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

// textLine joins a message's lines with carriage returns: a line feed would
// end the event.
function textLine(level, message) {
  return `${new Date().toISOString()}\t${current.requestId}\t${level}\t${message.replace(/\n/g, '\r')}\n`;
}

function jsonLine(level, args) {
  const line = { timestamp: new Date().toISOString(), level };
  if (current.requestId !== undefined) line.requestId = current.requestId;
  if (current.tenantId !== undefined) line.tenantId = current.tenantId;
  if (args.length === 1) {
    line.message = args[0];
    try {
      return JSON.stringify(line, expandJSON) + '\n';
    } catch (e) {
      line.message = util.format(args[0]); // circular
      return JSON.stringify(line) + '\n';
    }
  }
  line.message = util.format(...args);
  const error = args.find(errors.isError);
  if (error) {
    line.errorType = errors.type(error);
    line.errorMessage = errors.text(error.message);
    line.stackTrace = errors.stackLines(error);
  }
  return JSON.stringify(line) + '\n';
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
    else if (asJSON) console[name] = (...args) => write(jsonLine(level, args));
    else console[name] = (...args) => write(textLine(level, util.format(...args)));
  }
}

// error writes what the runtime says of a failure.
function error(words, err) {
  if (asJSON) write(jsonLine('ERROR', [errors.isError(err) ? err : errors.payload(err)]));
  else write(textLine('ERROR', `${words} ${errors.describe(err)}`));
}

module.exports = { install, error, current };
