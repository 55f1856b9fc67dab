//go:build race

package gateway

// largestZip is smaller here: the race detector makes decoding so slow that
// the largest archive would take half a minute. A third is still several
// times what the heap may grow by.
const largestZip = 52428800 / 9 * 4
