// Command startfloor does nothing: it is the least that a program takes to
// start which has an HTTP server and a database in it.
package main

import (
	_ "net/http"
	"os"

	_ "modernc.org/sqlite"
)

func main() { _, _ = os.Stdout.WriteString("startfloor\n") }
