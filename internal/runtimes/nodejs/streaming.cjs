// What functions stream their responses with: the global awslambda, and the
// stream that their handlers get.
'use strict';

const { Writable } = require('stream');

// Handlers are marked as AWS's runtime marks them, which libraries look at.
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

const METADATA = 'application/vnd.awslambda.http-integration-response';

function install() {
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (options && options.highWaterMark !== undefined) handler[HIGH_WATER_MARK] = Number(options.highWaterMark);
      return handler;
    },
    HttpResponseStream: class HttpResponseStream {
      // from has a function URL answer with status, headers and cookies of the
      // metadata, which goes before the first byte.
      static from(stream, metadata) {
        stream.setContentType(METADATA);
        stream._prelude = Buffer.concat([Buffer.from(JSON.stringify(metadata)), Buffer.alloc(8)]);
        return stream;
      }
    },
  };
}

function isStreaming(handler) { return handler[STREAMING] === 'response'; }

// ResponseStream is one response. open begins its post, with headers, and
// returns what takes the body.
class ResponseStream extends Writable {
  constructor(handler, open) {
    super(handler[HIGH_WATER_MARK] === undefined ? {} : { highWaterMark: handler[HIGH_WATER_MARK] });
    this._open = open;
    this._body = null;
    this._contentType = 'application/octet-stream';
    this._prelude = null;
    // Who writes to it hears of its failure; it is no exception of its own.
    this.on('error', () => {});
  }

  setContentType(type) {
    if (this._body) throw new Error('Cannot set content-type, too late.');
    this._contentType = String(type);
  }

  // Values that are no bytes are written as JSON.
  write(chunk, encoding, callback) { return super.write(asBytes(chunk), encoding, callback); }

  end(chunk, encoding, callback) {
    if (typeof chunk === 'function' || chunk === undefined || chunk === null) return super.end(chunk, encoding, callback);
    return super.end(asBytes(chunk), encoding, callback);
  }

  _write(chunk, encoding, callback) {
    this._begin();
    this._body.write(chunk, callback);
  }

  _final(callback) {
    this._begin();
    this._body.end({});
    callback();
  }

  _begin() {
    if (this._body) return;
    this._body = this._open(this._contentType);
    if (this._prelude) this._body.write(this._prelude, () => {});
  }

  // hasBegun tells whether it is too late for another answer.
  hasBegun() { return this._body !== null; }

  // fail ends the response that has begun with an error.
  fail(trailers) {
    this._body.end(trailers);
    this.destroy();
  }
}

function asBytes(chunk) {
  if (typeof chunk === 'string' || Buffer.isBuffer(chunk) || chunk instanceof Uint8Array) return chunk;
  return JSON.stringify(chunk);
}

module.exports = { install, isStreaming, ResponseStream };
