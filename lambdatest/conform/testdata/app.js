exports.handler = async (event) => {
  switch (event.conform) {
    case "error":
      throw new TypeError("as asked for");
    case "trace":
      return process.env._X_AMZN_TRACE_ID;
    case "large":
      return "x".repeat(7_000_000);
  }
  return event;
};
