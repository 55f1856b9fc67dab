// Package escapes holds a program that tries to get out of the sandbox that it
// runs in, for the tests of sandboxes. It owns the list of attempts; what is
// expected of a sandbox is its test's. It is never part of lamb.
package escapes
