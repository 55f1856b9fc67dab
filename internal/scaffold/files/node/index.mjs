// {{name}} is a Lambda function.
export const handler = async (event) => {
  const name = event?.name || "world";
  console.log("greeting", name); // goes to the function's log
  return { greeting: `hello ${name}` };
};
