//go:build lamb_poison

package poison

// Always tells whether every pool poisons; some tests have theirs do so anyway.
const Always = true
