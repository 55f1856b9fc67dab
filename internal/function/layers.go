package function

import (
	"strconv"
	"strings"
	"time"
)

// LayerKey names a layer; it is unique in an installation.
type LayerKey struct {
	Partition string
	Account   string
	Region    string
	Name      string // 1 to 140 of [a-zA-Z0-9-_]
}

// Scope returns the account and region that the layer lives in.
func (k LayerKey) Scope() Scope { return Scope{k.Partition, k.Account, k.Region} }

// ARN is the layer's, without a version.
func (k LayerKey) ARN() string {
	return "arn:" + k.Partition + ":lambda:" + k.Region + ":" + k.Account + ":layer:" + k.Name
}

// VersionARN is the ARN of a version of the layer.
func (k LayerKey) VersionARN(number int64) string {
	return k.ARN() + ":" + strconv.FormatInt(number, 10)
}

// LayerVersion is a version of a layer, as it is stored. It is never changed.
type LayerVersion struct {
	Key    LayerKey
	Number int64 // from 1; never used again
	// Created has millisecond precision, UTC.
	Created time.Time
	Code    Code
	Details LayerDetails
}

// ARN is the version's.
func (v *LayerVersion) ARN() string { return v.Key.VersionARN(v.Number) }

// LayerDetails is what the publisher of a layer version says about it.
type LayerDetails struct {
	Description string `json:",omitempty"`
	LicenseInfo string `json:",omitempty"`
	// Runtimes and Architectures are those that the version is said to work
	// with; nothing holds functions to them.
	Runtimes      []string `json:",omitempty"`
	Architectures []string `json:",omitempty"`
}

// layerARNParts are those between the colons of a layer's ARN: arn, partition,
// lambda, region, account, layer, name.
const layerARNParts = 7

// ParseLayerName reads the name of a layer, which may be its ARN; without one
// the layer is the caller's. It is false for anything else.
func ParseLayerName(caller Scope, name string) (LayerKey, bool) {
	if !strings.Contains(name, ":") {
		key := LayerKey{Partition: caller.Partition, Account: caller.Account, Region: caller.Region, Name: name}
		return key, isLayerName(name)
	}
	return parseLayerARN(strings.SplitN(name, ":", layerARNParts+1))
}

// ParseLayerVersionARN reads the ARN of a layer version. It is false for
// anything else, also for a number that no version can have.
func ParseLayerVersionARN(arn string) (LayerKey, int64, bool) {
	at := strings.LastIndexByte(arn, ':')
	if at < 0 {
		return LayerKey{}, 0, false
	}
	number, err := strconv.ParseInt(arn[at+1:], 10, 64)
	if err != nil || !all(arn[at+1:], isDigit) {
		return LayerKey{}, 0, false
	}
	key, ok := parseLayerARN(strings.SplitN(arn[:at], ":", layerARNParts+1))
	return key, number, ok
}

func parseLayerARN(f []string) (LayerKey, bool) {
	if len(f) != layerARNParts || f[0] != "arn" || f[2] != "lambda" || f[5] != "layer" {
		return LayerKey{}, false
	}
	key := LayerKey{Partition: f[1], Region: f[3], Account: f[4], Name: f[6]}
	return key, key.Partition != "" && key.Region != "" && isAccount(key.Account) && isLayerName(key.Name)
}

func isLayerName(s string) bool { return s != "" && all(s, isWord) }
