//go:build !race

package envapi

const raceEnabled = false
