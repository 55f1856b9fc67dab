package function

// Alias is a name for a version of a function, or for two versions between
// which invocations are divided. A *Alias that has been handed out is never
// changed.
// https://docs.aws.amazon.com/lambda/latest/api/API_AliasConfiguration.html
type Alias struct {
	Key  Key
	Name string // see IsAliasName
	// RevisionID is a UUID that changes with every change of the alias.
	RevisionID string
	// Version is Latest or a number. What an invocation runs Pick tells.
	Version     string
	Description string
	// Other has a part of the invocations, if it is not the zero value.
	Other WeightedVersion
}

// WeightedVersion is a published version and the part of an alias's
// invocations that it gets.
type WeightedVersion struct {
	Version string  // a number; empty for none
	Weight  float64 // 0 to 1
}

// Ref is the alias as a caller names it.
func (a *Alias) Ref() Ref { return Ref{Key: a.Key, Qualifier: a.Name} }

// Pick returns the version that an invocation runs, for a random number of at
// least 0 and below 1.
func (a *Alias) Pick(random float64) string {
	if a.Other.Version != "" && random < a.Other.Weight {
		return a.Other.Version
	}
	return a.Version
}
