// A Lambda function on Node, written as for AWS: the same zip runs there and here.

export const handler = async (event, context) => {
  const name = event.name ?? "world";
  console.log(`greeting ${name} from process ${process.pid}`);
  return {
    message: `Hello, ${name}!`,
    function: context.functionName,
    requestId: context.awsRequestId,
    runtime: `Node ${process.version}`,
    remainingMs: context.getRemainingTimeInMillis(),
  };
};
