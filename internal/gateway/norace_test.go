//go:build !race

package gateway

// largestZip is the largest archive that AWS takes directly, in base64.
const largestZip = 52428800 / 3 * 4
