// Package wire is the HTTP/1.1 client below the public packages lambda and
// extension: one keep-alive connection, requests one after the other, and
// buffers that are used again, so that an exchange allocates nothing.
//
// It speaks to the Runtime and Extensions APIs only: no TLS, no proxies, no
// redirects, no timeouts (two of their calls block for as long as there is
// nothing to do). It is linked into other people's functions and so imports
// nothing but the standard library, and net/http least of all: that package's
// start-up alone costs a function more than all the rest.
package wire
