// Loads the handler, then answers invocations until the process ends.
//
//   load ──▶ next ──event──▶ handler ──▶ post response or error ──▶ next
//
// While a handler runs, nothing of the runtime keeps the event loop alive:
// its becoming empty (beforeExit) is what ends an invocation whose callback
// waits for it, or whose promise can never be settled.
'use strict';

const { Client } = require('./client.cjs');
const errors = require('./errors.cjs');
const logs = require('./logs.cjs');
const handlers = require('./handler.cjs');
const { invocationContext } = require('./context.cjs');
const streaming = require('./streaming.cjs');

const EXIT_REJECTION = 128;
const EXIT_EXCEPTION = 129;

const CALLBACK_REMOVED = 'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. '
  + 'You need to modify this function to use a supported handler signature to use Node.js 24 or later. '
  + 'For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';

const NEVER_SETTLED = 'The Lambda runtime client detected an unexpected Node.js exit code. '
  + 'This is most commonly caused by a Promise that was never settled. '
  + 'For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes';

class Runtime {
  constructor() {
    this.client = new Client(process.env.AWS_LAMBDA_RUNTIME_API);
    this.handler = null;
    // The major version that was asked for decides what a handler may do.
    const asked = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV || '');
    this.callbacks = Number(asked ? asked[1] : process.versions.node.split('.')[0]) < 24;
    this.invocation = null; // the one that has no answer yet
    this.posting = false; // an answer is on its way
    this.failing = false; // the process is about to end
  }

  async start() {
    process.on('uncaughtException', (error) => this.fail('Uncaught Exception', error, EXIT_EXCEPTION));
    process.on('unhandledRejection', (reason, promise) => {
      const error = errors.fault('Runtime.UnhandledPromiseRejection', errors.isError(reason) ? reason.toString() : errors.text(reason));
      error.reason = reason;
      error.promise = promise;
      this.fail('Unhandled Promise Rejection', error, EXIT_REJECTION);
    });
    // A module whose top-level await never ends would end the process silently.
    process.on('beforeExit', () => this.loopIsEmpty());
    const taskRoot = process.env.LAMBDA_TASK_ROOT || process.cwd();
    process.chdir(taskRoot);
    try {
      const handler = await handlers.load(taskRoot, process.env._HANDLER || '');
      if (!this.callbacks && handler.length >= 3 && !streaming.isStreaming(handler)) throw errors.fault('Runtime.CallbackHandlerDeprecated', CALLBACK_REMOVED);
      this.handler = handler;
    } catch (error) {
      this.fail(this.callbacks ? 'Uncaught Exception' : 'Init Error', error, EXIT_EXCEPTION);
      return;
    }
    this.next();
  }

  next() {
    this.client.next((error, status, headers, body) => {
      if (error || status !== 200) {
        process.stderr.write(`lamb: the Runtime API answered ${error ? error.message : status} to next\n`);
        process.exit(1);
      }
      this.client.unref();
      this.invoke(headers, body);
    });
  }

  invoke(headers, body) {
    const invocation = { id: headers['lambda-runtime-aws-request-id'], waiting: null };
    this.invocation = invocation;
    logs.current.requestId = invocation.id;
    logs.current.tenantId = headers['lambda-runtime-aws-tenant-id'];
    const trace = headers['lambda-runtime-trace-id'];
    if (trace) process.env._X_AMZN_TRACE_ID = trace;
    else delete process.env._X_AMZN_TRACE_ID;
    let event;
    let context;
    try {
      event = JSON.parse(body.toString('utf8'));
      context = invocationContext(headers);
    } catch (error) {
      this.answerError(invocation, error);
      return;
    }
    if (streaming.isStreaming(this.handler)) this.withStream(invocation, event, context);
    else if (this.callbacks) this.withCallback(invocation, event, context);
    else this.withPromise(invocation, event, context);
  }

  // withStream lets the handler write its response. The invocation is over when
  // both have ended.
  withStream(invocation, event, context) {
    let running = true;
    let posting = true;
    const next = () => { if (!running && !posting && !this.failing) this.next(); };
    const stream = new streaming.ResponseStream(this.handler, (contentType) => {
      this.posting = true;
      const headers = {
        'Content-Type': contentType,
        'Lambda-Runtime-Function-Response-Mode': 'streaming',
        Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
      };
      return this.client.stream(`invocation/${invocation.id}/response`, headers, (error, status) => {
        this.posting = false;
        if (!this.failing && (error || status >= 500)) process.exit(1);
        if (this.invocation === invocation) this.invocation = null;
        posting = false;
        next();
      });
    });
    invocation.stream = stream;
    const fail = (error) => {
      running = false;
      if (!stream.hasBegun()) {
        this.answerError(invocation, error);
      } else {
        logs.error('Invoke Error', error);
        stream.fail(errors.trailers(error));
        next();
      }
    };
    const handler = this.handler;
    let result;
    try {
      result = handler(event, stream, context);
      if (!result || typeof result.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
    } catch (error) {
      fail(error);
      return;
    }
    result.then(() => { running = false; next(); }, fail);
  }

  withPromise(invocation, event, context) {
    const handler = this.handler; // called without a this, as any function
    let result;
    try {
      result = handler(event, context);
    } catch (error) {
      this.answerError(invocation, error);
      return;
    }
    Promise.resolve(result).then(
      (value) => this.answer(invocation, value),
      (error) => this.answerError(invocation, error),
    );
  }

  withCallback(invocation, event, context) {
    let waitsForEmptyLoop = true;
    Object.defineProperty(context, 'callbackWaitsForEmptyEventLoop', {
      enumerable: true,
      get: () => waitsForEmptyLoop,
      set: (value) => { waitsForEmptyLoop = value; },
    });
    const settle = (error, value) => {
      if (error !== undefined && error !== null) this.answerError(invocation, error);
      else this.answer(invocation, value);
    };
    const callback = (error, value) => {
      if (this.invocation !== invocation || invocation.waiting) return;
      // Both ways let what is already due run first.
      if (waitsForEmptyLoop === false) setImmediate(settle, error, value);
      else invocation.waiting = () => settle(error, value);
    };
    context.done = settle;
    context.succeed = (value) => settle(null, value);
    context.fail = (error) => settle(error === undefined || error === null ? 'handled' : error);
    const handler = this.handler;
    let result;
    try {
      result = handler(event, context, callback);
    } catch (error) {
      this.answerError(invocation, error);
      return;
    }
    if (result && typeof result.then === 'function') {
      result.then((value) => settle(null, value), (error) => settle(error === undefined || error === null ? 'handled' : error));
    }
  }

  loopIsEmpty() {
    const invocation = this.invocation;
    if (this.failing) return;
    if (!invocation) {
      if (!this.handler) this.fail('Init Error', errors.fault('Runtime.NodeJsExit', NEVER_SETTLED), EXIT_EXCEPTION);
      return;
    }
    if (invocation.waiting) invocation.waiting();
    else if (this.callbacks && !invocation.stream) this.answer(invocation, null);
    else this.answerError(invocation, errors.fault('Runtime.NodeJsExit', NEVER_SETTLED));
  }

  answer(invocation, value) {
    if (this.invocation !== invocation) return;
    let body;
    try {
      body = JSON.stringify(value === undefined ? null : value);
      if (body === undefined) body = 'null'; // a function, a symbol
    } catch (error) {
      this.answerError(invocation, new Error('Unable to stringify response body'));
      return;
    }
    this.invocation = null;
    this.post(`invocation/${invocation.id}/response`, Buffer.from(body), { 'Content-Type': 'application/json' });
  }

  answerError(invocation, error) {
    if (this.invocation !== invocation) return;
    this.invocation = null;
    logs.error('Invoke Error', error);
    const { body, headers } = errors.report(error);
    this.post(`invocation/${invocation.id}/error`, body, headers);
  }

  post(path, body, headers) {
    this.posting = true;
    this.client.post(path, body, headers, (error, status) => {
      this.posting = false;
      if (this.failing) return;
      if (error || status >= 500) process.exit(1);
      this.next();
    });
  }

  // fail reports what nobody caught and ends the process: its state is unknown.
  fail(words, error, code) {
    if (this.failing) return;
    logs.error(words, error);
    this.failing = true;
    const exit = () => process.exit(code);
    const stream = this.invocation && this.invocation.stream;
    if (stream && stream.hasBegun()) {
      stream.fail(errors.trailers(error));
      this.client.afterPending(exit);
    } else if (this.invocation) {
      const { body, headers } = errors.report(error);
      this.client.post(`invocation/${this.invocation.id}/error`, body, headers, exit);
    } else if (!this.handler) {
      const { body, headers } = errors.initReport(error);
      this.client.post('init/error', body, headers, exit);
    } else if (this.posting) {
      this.client.afterPending(exit); // the answer that is on its way still goes out
    } else {
      exit();
    }
  }
}

function run() {
  logs.install();
  streaming.install();
  new Runtime().start();
}

module.exports = { run };
