// Run with: node --test
import assert from "node:assert/strict";
import { test } from "node:test";
import { handler } from "./index.mjs";

test("greets", async () => {
  assert.deepEqual(await handler({}), { greeting: "hello world" });
  assert.deepEqual(await handler({ name: "lamb" }), { greeting: "hello lamb" });
});
