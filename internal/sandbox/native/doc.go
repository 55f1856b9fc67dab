// Package native is lamb's own sandbox on Linux.
package native
