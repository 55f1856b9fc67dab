package function

import (
	"crypto/sha256"
	"encoding/hex"
)

// Family is a language, or Provided for functions that bring their own runtime.
type Family string

// The runtime families.
const (
	Node     Family = "nodejs"
	Python   Family = "python"
	Java     Family = "java"
	Dotnet   Family = "dotnet"
	Ruby     Family = "ruby"
	Go       Family = "go"
	Provided Family = "provided"
)

// Support is how far AWS still supports a runtime.
type Support int

// The degrees of support. AWS blocks creating no earlier than 30 days and
// updating no earlier than 60 days after the deprecation date, and has
// postponed nearly every such date. So only Retired refuses: the identifiers
// that are left in the service model's enum but in no table of supported
// runtimes any more.
const (
	Supported  Support = iota
	Preview            // offered ahead of its general availability
	Deprecated         // past its date; creating and updating still allowed
	Retired            // creating and updating refused
)

// Runtime is a runtime identifier and what it stands for.
type Runtime struct {
	ID      string // "python3.12"
	Family  Family
	Version string // of the language: "3.12", "22"; of the system for Provided: "al2023"
	Support Support
	// SnapStart tells whether AWS allows SnapStart with the runtime.
	SnapStart bool
}

// runtimes is as of 2026-11-22, in the order in which error texts list them.
// It is never changed.
var runtimes = []Runtime{
	{ID: "nodejs26.x", Family: Node, Version: "26", Support: Preview},
	{ID: "nodejs24.x", Family: Node, Version: "24"},
	{ID: "nodejs22.x", Family: Node, Version: "22"},
	{ID: "nodejs20.x", Family: Node, Version: "20", Support: Deprecated}, // 2026-04-30
	{ID: "python3.15", Family: Python, Version: "3.15", Support: Preview, SnapStart: true},
	{ID: "python3.14", Family: Python, Version: "3.14", SnapStart: true},
	{ID: "python3.13", Family: Python, Version: "3.13", SnapStart: true},
	{ID: "python3.12", Family: Python, Version: "3.12", SnapStart: true},
	{ID: "python3.11", Family: Python, Version: "3.11"},
	{ID: "python3.10", Family: Python, Version: "3.10", Support: Deprecated}, // 2026-10-31
	{ID: "python3.9", Family: Python, Version: "3.9", Support: Deprecated},   // 2025-12-15
	{ID: "java25", Family: Java, Version: "25", SnapStart: true},
	{ID: "java21", Family: Java, Version: "21", SnapStart: true},
	{ID: "java17.al2023", Family: Java, Version: "17", SnapStart: true},
	{ID: "java17", Family: Java, Version: "17", SnapStart: true},
	{ID: "java11.al2023", Family: Java, Version: "11", SnapStart: true},
	{ID: "java11", Family: Java, Version: "11", SnapStart: true},
	{ID: "java8.al2023", Family: Java, Version: "8"},
	{ID: "java8.al2", Family: Java, Version: "8"},
	{ID: "dotnet10", Family: Dotnet, Version: "10", SnapStart: true},
	{ID: "dotnet8", Family: Dotnet, Version: "8", Support: Deprecated, SnapStart: true}, // 2026-11-10
	{ID: "ruby4.0", Family: Ruby, Version: "4.0"},
	{ID: "ruby3.4", Family: Ruby, Version: "3.4"},
	{ID: "ruby3.3", Family: Ruby, Version: "3.3"},
	{ID: "ruby3.2", Family: Ruby, Version: "3.2", Support: Deprecated}, // 2026-03-31
	{ID: "provided.al2023", Family: Provided, Version: "al2023"},
	{ID: "provided.al2", Family: Provided, Version: "al2", Support: Deprecated}, // about 2026-07-31

	{ID: "nodejs18.x", Family: Node, Version: "18", Support: Retired},
	{ID: "nodejs16.x", Family: Node, Version: "16", Support: Retired},
	{ID: "nodejs14.x", Family: Node, Version: "14", Support: Retired},
	{ID: "nodejs12.x", Family: Node, Version: "12", Support: Retired},
	{ID: "nodejs10.x", Family: Node, Version: "10", Support: Retired},
	{ID: "nodejs8.10", Family: Node, Version: "8.10", Support: Retired},
	{ID: "nodejs6.10", Family: Node, Version: "6.10", Support: Retired},
	{ID: "nodejs4.3-edge", Family: Node, Version: "4.3", Support: Retired},
	{ID: "nodejs4.3", Family: Node, Version: "4.3", Support: Retired},
	{ID: "nodejs", Family: Node, Version: "0.10", Support: Retired},
	{ID: "python3.8", Family: Python, Version: "3.8", Support: Retired},
	{ID: "python3.7", Family: Python, Version: "3.7", Support: Retired},
	{ID: "python3.6", Family: Python, Version: "3.6", Support: Retired},
	{ID: "python2.7", Family: Python, Version: "2.7", Support: Retired},
	{ID: "java8", Family: Java, Version: "8", Support: Retired},
	{ID: "dotnet6", Family: Dotnet, Version: "6", Support: Retired},
	{ID: "dotnetcore3.1", Family: Dotnet, Version: "3.1", Support: Retired},
	{ID: "dotnetcore2.1", Family: Dotnet, Version: "2.1", Support: Retired},
	{ID: "dotnetcore2.0", Family: Dotnet, Version: "2.0", Support: Retired},
	{ID: "dotnetcore1.0", Family: Dotnet, Version: "1.0", Support: Retired},
	{ID: "ruby2.7", Family: Ruby, Version: "2.7", Support: Retired},
	{ID: "ruby2.5", Family: Ruby, Version: "2.5", Support: Retired},
	{ID: "go1.x", Family: Go, Version: "1", Support: Retired},
	{ID: "provided", Family: Provided, Version: "al1", Support: Retired},
}

// LookupRuntime finds a runtime by its identifier, which is case-sensitive.
func LookupRuntime(id string) (Runtime, bool) {
	for _, r := range runtimes {
		if r.ID == id {
			return r, true
		}
	}
	return Runtime{}, false
}

// Runtimes lists every identifier that functions can be created with, in the
// order in which error texts list them.
func Runtimes() []Runtime {
	var list []Runtime
	for _, r := range runtimes {
		if r.Support != Retired {
			list = append(list, r)
		}
	}
	return list
}

// LayerRuntimes lists every identifier that a layer version can be said to
// work with, in the order in which error texts list them: those of functions,
// the retired ones included, and names that AWS has used inside.
func LayerRuntimes() []string {
	var ids []string
	for _, r := range runtimes {
		ids = append(ids, r.ID)
	}
	return append(ids, "ruby2.6", "nodejs8.x", "nodejs8.9", "go1.9", "python2.7-greengrass", "byol", "nasa")
}

// RuntimeVersionARN names the build of a runtime that a function uses. AWS's
// 64 hexadecimal digits are opaque; here they follow from the identifier, so
// that the same runtime always has the same.
func RuntimeVersionARN(partition, region, runtime string) string {
	sum := sha256.Sum256([]byte("lamb runtime " + runtime))
	return "arn:" + partition + ":lambda:" + region + "::runtime:" + hex.EncodeToString(sum[:])
}
