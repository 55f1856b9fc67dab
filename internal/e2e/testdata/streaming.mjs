// Reads streams with the AWS SDK for JavaScript. Arguments: lamb's URL and a
// function of streamfunc.
import assert from 'node:assert/strict';
import { LambdaClient, InvokeWithResponseStreamCommand, ResourceNotFoundException } from '@aws-sdk/client-lambda';

const [endpoint, FunctionName] = process.argv.slice(2);
const client = new LambdaClient({
  endpoint, region: 'us-east-1', maxAttempts: 1, credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});

async function stream(...steps) {
  const response = await client.send(new InvokeWithResponseStreamCommand({
    FunctionName, LogType: 'Tail', Payload: Buffer.from(JSON.stringify({ steps })),
  }));
  assert.equal(response.StatusCode, 200);
  assert.equal(response.ExecutedVersion, '$LATEST');
  assert.equal(response.ResponseStreamContentType, 'application/vnd.amazon.eventstream');
  const chunks = [];
  const ends = [];
  for await (const event of response.EventStream) {
    if (event.PayloadChunk) chunks.push(Buffer.from(event.PayloadChunk.Payload));
    else ends.push(event.InvokeComplete);
  }
  assert.equal(ends.length, 1);
  return { text: Buffer.concat(chunks).toString(), end: ends[0] };
}

let { text, end } = await stream({ write: 'one' }, { write: 'é\n', repeat: 50000 });
assert.equal(text, 'one' + 'é\n'.repeat(50000));
assert.equal(end.ErrorCode, undefined);
assert.match(Buffer.from(end.LogResult, 'base64').toString(), /REPORT RequestId: /);

({ text, end } = await stream({ write: 'some' }, { error: 'no more' }));
assert.equal(text, 'some');
assert.equal(end.ErrorCode, 'errorString');
assert.equal(JSON.parse(end.ErrorDetails).errorMessage, 'no more');

({ text, end } = await stream({ write: 'some' }, { forever: true }));
assert.equal(text, 'some');
assert.equal(end.ErrorCode, 'Sandbox.Timedout');

await assert.rejects(
  client.send(new InvokeWithResponseStreamCommand({ FunctionName: 'js-nobody' })), ResourceNotFoundException);
client.destroy();
