// Errors as the Runtime API and the log show them.
'use strict';

// The API takes causes up to 64 KiB; room is left for the other headers.
const MAX_CAUSE = 48 * 1024;

// fault makes an error that the runtime itself finds, named as AWS names it.
function fault(name, message, stack) {
  const error = new Error(message);
  error.name = name;
  if (stack) {
    error.stack = `${name}: ${message}\n${stack}`;
  } else {
    Error.captureStackTrace(error, fault); // the first line takes the name
  }
  return error;
}

function isError(value) {
  return value instanceof Error
    // Errors of another realm (vm, jest) fail instanceof.
    || Object.prototype.toString.call(value) === '[object Error]';
}

function type(error) {
  return error.name === undefined || error.name === null ? 'Error' : String(error.name);
}

function stackLines(error) {
  return typeof error.stack === 'string' ? error.stack.split('\n') : [];
}

// payload is the document that becomes the invocation's answer.
function payload(error) {
  try {
    if (isError(error)) {
      return { errorType: type(error), errorMessage: text(error.message), trace: stackLines(error) };
    }
    return { errorType: typeof error, errorMessage: text(error), trace: [] };
  } catch (e) {
    return { errorType: 'handled', errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack', trace: [] };
  }
}

function text(value) {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return String(value);
  return typeof value.toString === 'function' ? value.toString() : Object.prototype.toString.call(value);
}

// expand gives an error, also one inside another, as the log shows it.
function expand(key, value) {
  if (typeof value === 'bigint') return value.toString();
  if (!isError(value)) return value;
  const out = { errorType: type(value), errorMessage: text(value.message) };
  for (const name of Object.keys(value)) {
    if (name !== 'name' && name !== 'message' && name !== 'stack') out[name] = value[name];
  }
  if (value.cause !== undefined && !('cause' in out)) out.cause = value.cause;
  out.stack = stackLines(value);
  return out;
}

// describe is the part of an error's log line after the words.
function describe(error) {
  try {
    return '\t' + JSON.stringify(isError(error) ? error : { errorType: typeof error, errorMessage: text(error), stack: [] }, expand);
  } catch (e) { // circular
    return '\t' + JSON.stringify({ errorType: payload(error).errorType, errorMessage: payload(error).errorMessage, stack: payload(error).trace });
  }
}

// cause is the X-Ray document of an error, as header text; empty if it is too big.
function cause(error) {
  const document = payload(error);
  const frames = [];
  for (const line of document.trace) {
    const m = /^\s*at (?:(.*?) \()?(.*?):(\d+)(?::\d+)?\)?$/.exec(line);
    if (m) frames.push({ path: m[2], line: Number(m[3]), label: m[1] || 'anonymous' });
  }
  for (let count = frames.length; ; count = count >> 1) {
    const stack = frames.slice(0, count);
    const out = JSON.stringify({
      working_directory: process.cwd(),
      exceptions: [{ type: document.errorType, message: document.errorMessage.slice(0, 4096), stack }],
      paths: Array.from(new Set(stack.map((f) => f.path))),
    }).replace(/[^\x20-\x7e]/g, (c) => '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4));
    if (out.length <= MAX_CAUSE) return out;
    if (count === 0) return '';
  }
}

// report makes body and headers of an invocation's error. Like AWS's client, it
// sends no header with the type: that is the service's to word.
function report(error) {
  const headers = { 'Content-Type': 'application/json' };
  const xray = cause(error);
  if (xray) headers['Lambda-Runtime-Function-XRay-Error-Cause'] = xray;
  return { body: Buffer.from(JSON.stringify(payload(error))), headers };
}

// initReport is report for an initialization that has failed, with the type.
function initReport(error) {
  const document = payload(error);
  const headers = { 'Content-Type': 'application/json' };
  if (/^[\x21-\x7e]+$/.test(document.errorType)) {
    headers['Lambda-Runtime-Function-Error-Type'] = document.errorType;
  }
  return { body: Buffer.from(JSON.stringify(document)), headers };
}

// trailers are the error as the end of a response that has begun.
function trailers(error) {
  const document = payload(error);
  const type = /^[\x21-\x7e]+$/.test(document.errorType) ? document.errorType : 'Error';
  return {
    'Lambda-Runtime-Function-Error-Type': type,
    'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(document)).toString('base64'),
  };
}

module.exports = { trailers, fault, isError, payload, expand, describe, report, initReport, stackLines, type, text };
