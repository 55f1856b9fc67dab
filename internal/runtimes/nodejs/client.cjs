// The Runtime API over one kept-alive connection. The http module would cost
// more to load than the rest of the runtime together, and the API needs a
// small part of HTTP/1.1.
'use strict';

const net = require('net');

const PREFIX = '/2018-06-01/runtime/';
// Largest head of an answer; Lambda's own headers stay far below it.
const MAX_HEAD = 1 << 20;
// Bodies up to this size go out in one segment with the head.
const JOIN = 1 << 16;
// The largest buffered response that the API takes.
const MAX_PAYLOAD = 6 * 1024 * 1024 + 100;

const EMPTY = Buffer.alloc(0);

class Client {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this._host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    this._port = Number(address.slice(colon + 1));
    this._common = ` HTTP/1.1\r\nHost: ${address}\r\nUser-Agent: lamb-nodejs/${process.versions.node}\r\n`;
    this._socket = null;
    this._reset();
    this._pending = null;
  }

  // next calls back with (error, status, headers, body) when an event is there.
  next(done) {
    this._exchange(`GET ${PREFIX}invocation/next${this._common}\r\n`, EMPTY, done);
  }

  // post calls back with (error, status).
  post(path, body, headers, done) {
    let head = `POST ${PREFIX}${path}${this._common}`;
    for (const name of Object.keys(headers)) head += `${name}: ${headers[name]}\r\n`;
    head += `Content-Length: ${body.length}\r\n\r\n`;
    this._exchange(head, body, (error, status) => {
      // A server may close on a body far over the limit instead of reading all
      // of it; the environment goes on as after a 413.
      if (error && body.length > MAX_PAYLOAD) done(null, 413);
      else done(error, status);
    });
  }

  // stream begins a post whose body comes in pieces, and calls back with (error,
  // status) like post: before the end when the API refuses it.
  stream(path, headers, done) {
    let head = `POST ${PREFIX}${path}${this._common}`;
    for (const name of Object.keys(headers)) head += `${name}: ${headers[name]}\r\n`;
    head += 'Transfer-Encoding: chunked\r\n\r\n';
    let ended = false;
    let open = true;
    this._exchange(head, EMPTY, (error, status) => {
      open = false;
      if (!ended) this._drop(); // the API would take what follows for the body's rest
      done(error, status);
    });
    this._pending.again = null; // the body cannot be sent twice
    const socket = this._socket;
    return {
      write(chunk, written) {
        if (!open || chunk.length === 0) { process.nextTick(written); return; }
        socket.cork();
        socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
        socket.write(chunk);
        socket.write('\r\n', 'latin1', () => written()); // a failure is the exchange's
        socket.uncork();
      },
      end(trailers) {
        if (ended) return;
        ended = true;
        if (!open) return;
        let tail = '0\r\n';
        for (const name of Object.keys(trailers)) tail += `${name}: ${trailers[name]}\r\n`;
        socket.write(`${tail}\r\n`, 'latin1');
      },
    };
  }

  // afterPending calls back when the exchange under way has ended.
  afterPending(done) {
    if (!this._pending) { done(); return; }
    const before = this._pending.done;
    this._pending.done = (...args) => { before(...args); done(); };
  }

  // unref lets the event loop become empty while an exchange is under way.
  unref() { if (this._socket) this._socket.unref(); }
  ref() { if (this._socket) this._socket.ref(); }

  _exchange(head, body, done) {
    const reused = this._socket !== null;
    // A kept-alive connection may have been closed while it was idle.
    const again = reused ? () => this._exchange(head, body, done) : null;
    this._pending = { done, again };
    if (!reused) this._connect();
    this.ref();
    if (body.length > JOIN) {
      this._socket.write(head, 'latin1');
      this._socket.write(body);
    } else if (body.length > 0) {
      this._socket.write(Buffer.concat([Buffer.from(head, 'latin1'), body]));
    } else {
      this._socket.write(head, 'latin1');
    }
  }

  _connect() {
    const socket = net.connect(this._port, this._host);
    socket.setNoDelay(true);
    this._socket = socket;
    this._reset();
    let failure = null;
    socket.on('data', (chunk) => { if (this._socket === socket) this._data(chunk); });
    socket.on('error', (error) => { failure = error; });
    socket.on('end', () => { if (this._socket === socket) this._ended(); });
    socket.on('close', () => { if (this._socket === socket) this._closed(failure); });
  }

  _reset() {
    this._chunks = [];
    this._size = 0;
    this._head = null; // {status, headers, mode, length} once the head is there
  }

  _drop() {
    const socket = this._socket;
    this._socket = null;
    this._reset();
    if (socket) socket.destroy();
  }

  _ended() {
    if (this._head && this._head.mode === 'eof') this._finish(this._take(this._size));
    else this._socket.destroy();
  }

  _closed(failure) {
    const pending = this._pending;
    const untouched = this._size === 0 && !this._head;
    this._drop();
    if (!pending) return;
    this._pending = null;
    if (untouched && pending.again) pending.again();
    else pending.done(failure || new Error('the Runtime API closed the connection'));
  }

  _fail(message) {
    const pending = this._pending;
    this._pending = null;
    this._drop();
    if (pending) pending.done(new Error(message));
  }

  _data(chunk) {
    this._chunks.push(chunk);
    this._size += chunk.length;
    if (!this._head && !this._readHead()) return;
    const head = this._head;
    if (head.mode === 'length') {
      if (this._size >= head.length) this._finish(this._take(head.length));
    } else if (head.mode === 'chunked') {
      this._readChunked();
    }
  }

  // _take removes and returns the first n bytes that were received.
  _take(n) {
    const all = this._chunks.length === 1 ? this._chunks[0] : Buffer.concat(this._chunks);
    this._chunks = n < all.length ? [all.slice(n)] : [];
    this._size = all.length - n;
    return all.slice(0, n);
  }

  _peek() {
    if (this._chunks.length > 1) this._chunks = [Buffer.concat(this._chunks)];
    return this._chunks.length ? this._chunks[0] : EMPTY;
  }

  _readHead() {
    const end = this._peek().indexOf('\r\n\r\n');
    if (end < 0) {
      if (this._size > MAX_HEAD) this._fail("the Runtime API's answer has too long a head");
      return false;
    }
    const lines = this._take(end + 4).toString('utf8', 0, end).split('\r\n');
    const status = /^HTTP\/1\.\d (\d{3})/.exec(lines[0]);
    if (!status) {
      this._fail("the Runtime API's answer is not HTTP/1.1");
      return false;
    }
    const headers = Object.create(null);
    for (let i = 1; i < lines.length; i++) {
      const colon = lines[i].indexOf(':');
      headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
    }
    const code = Number(status[1]);
    if (code < 200) return this._readHead(); // 100 Continue and the like
    const head = { status: code, headers, mode: 'eof', length: 0 };
    if ((headers['transfer-encoding'] || '').toLowerCase() === 'chunked') head.mode = 'chunked';
    else if (headers['content-length'] !== undefined) {
      head.mode = 'length';
      head.length = Number(headers['content-length']);
    } else if (code === 204 || code === 304) head.mode = 'length';
    this._head = head;
    this._body = [];
    return true;
  }

  _readChunked() {
    for (;;) {
      const data = this._peek();
      const end = data.indexOf('\r\n');
      if (end < 0) return;
      const size = parseInt(data.toString('latin1', 0, end), 16);
      if (!(size >= 0)) {
        this._fail('the Runtime API sent a malformed chunk');
        return;
      }
      if (size === 0) {
        const tail = data.indexOf('\r\n\r\n', end); // no trailers, or after them
        if (tail < 0) return;
        this._take(tail + 4);
        this._finish(Buffer.concat(this._body));
        return;
      }
      if (data.length < end + 2 + size + 2) return;
      this._body.push(this._take(end + 2 + size + 2).slice(end + 2, end + 2 + size));
    }
  }

  _finish(body) {
    const { status, headers, mode } = this._head;
    const pending = this._pending;
    this._pending = null;
    this._head = null;
    if (mode === 'eof' || (headers.connection || '').toLowerCase() === 'close') this._drop();
    if (pending) pending.done(null, status, headers, body);
  }
}

module.exports = { Client };
