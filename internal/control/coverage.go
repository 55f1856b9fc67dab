package control

import (
	"maps"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/api"
)

// The table behind docs/api-coverage.md: what becomes of every operation and
// of every member of its request. A test compares it with the API layer, so it
// cannot lack one, and writes the document:
//
//go:generate go test -run TestCoverageDocument -update .

// Treatment is what becomes of a request member.
type Treatment string

// The treatments.
const (
	// Honoured: it does what the API says it does.
	Honoured Treatment = "honoured"
	// Echoed: it is checked, stored and shown again, and has no other effect.
	Echoed Treatment = "stored and echoed"
	// Refused: a request that has it fails.
	Refused Treatment = "refused"
	// Ignored: a request may have it and it has no effect, which the note
	// justifies.
	Ignored Treatment = "without effect"
)

// MemberCoverage says what becomes of one request member.
type MemberCoverage struct {
	Path      string // as api.Members gives it
	Treatment Treatment
	Note      string // may be empty
}

// OperationCoverage says what becomes of an operation.
type OperationCoverage struct {
	Name string
	// Implemented is false for operations that answer 501; they have no
	// Members.
	Implemented bool
	Note        string // may be empty
	Members     []MemberCoverage
}

// Coverage lists all operations of the API by name.
func Coverage() []OperationCoverage {
	implemented := implementedOperations()
	maps.Copy(implemented, qualifierOperations())
	all := api.Members()
	list := make([]OperationCoverage, 0, len(all))
	for name := range all {
		op, ok := implemented[name]
		op.Name, op.Implemented = name, ok
		list = append(list, op)
	}
	slices.SortFunc(list, func(a, b OperationCoverage) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// implementedOperations are those about functions, versions and layers.
func implementedOperations() map[string]OperationCoverage {
	return map[string]OperationCoverage{
		"CreateFunction": {
			Note:    "The function is Pending until its code is unpacked, a few milliseconds later.",
			Members: slices.Concat(createMembers(), settingsMembers()),
		},
		"DeleteFunction": {Members: []MemberCoverage{
			honoured("FunctionName", ""),
			honoured("Qualifier", "a published version that no alias invokes; `$LATEST` and alias names are refused as AWS does"),
		}},
		"DeleteLayerVersion": {
			Note:    "Functions that use the version keep it.",
			Members: layerVersionMembers(),
		},
		"GetAccountSettings": {Note: "Limits are those that this installation enforces."},
		"GetFunction": {
			Note:    "`Code.Location` is a link that expires; `Concurrency` is absent, as reserved concurrency cannot be set.",
			Members: readMembers(),
		},
		"GetFunctionCodeSigningConfig": {
			Note:    "The answer is an empty object, as AWS's for a function without such a configuration: none can be made.",
			Members: []MemberCoverage{honoured("FunctionName", "unqualified, or with `$LATEST`")},
		},
		"GetFunctionConfiguration": {Members: readMembers()},
		"GetLayerVersion": {
			Note:    "`Content.Location` is a link that expires.",
			Members: layerVersionMembers(),
		},
		"GetLayerVersionByArn": {
			Note:    "As GetLayerVersion.",
			Members: []MemberCoverage{honoured("Arn", "also of another account; no permission is needed yet")},
		},
		"GetRuntimeManagementConfig": {
			Note:    "Always `Auto`: this host's interpreter runs, whichever version of it is installed.",
			Members: readMembers(),
		},
		"Invoke": {Note: "Implemented by `internal/invoke`.", Members: invokeMembers()},
		"InvokeWithResponseStream": {
			Note: "Implemented by `internal/invoke`; see [streaming.md](streaming.md).",
			Members: []MemberCoverage{
				honoured("FunctionName", ""),
				honoured("InvocationType", ""),
				honoured("LogType", ""),
				honoured("ClientContext", ""),
				honoured("Qualifier", "as Invoke's"),
				honoured("Payload", ""),
				honoured("TenantId", "as Invoke's"),
			},
		},
		"ListFunctions": {Members: []MemberCoverage{
			honoured("MasterRegion", "needs FunctionVersion `ALL`; no function is a replica, so any value but `ALL` gives an empty list"),
			honoured("FunctionVersion", ""),
			honoured("Marker", ""),
			honoured("MaxItems", "a page has at most 50, as on AWS"),
		}},
		"ListLayerVersions": {Members: append(layerListMembers(),
			honoured("LayerName", "name or ARN, also of another account; no permission is needed yet"))},
		"ListLayers": {Members: layerListMembers()},
		"ListVersionsByFunction": {Members: []MemberCoverage{
			honoured("FunctionName", "unqualified, or with `$LATEST`"),
			honoured("Marker", ""),
			honoured("MaxItems", "a page has at most 50, as on AWS"),
		}},
		"PublishLayerVersion": {Members: []MemberCoverage{
			honoured("LayerName", "name or ARN"),
			echoed("Description", ""),
			honoured("Content.ZipFile", ""),
			refused("Content.S3Bucket", "code is taken as ZipFile only"),
			refused("Content.S3Key", "code is taken as ZipFile only"),
			refused("Content.S3ObjectVersion", "code is taken as ZipFile only"),
			honoured("CompatibleRuntimes", "by the lists' filters; functions are not held to it, as on AWS"),
			echoed("LicenseInfo", ""),
			honoured("CompatibleArchitectures", "as CompatibleRuntimes"),
		}},
		"PublishVersion": {Members: []MemberCoverage{
			honoured("FunctionName", "unqualified, or with `$LATEST`"),
			honoured("CodeSha256", ""),
			honoured("Description", ""),
			honoured("RevisionId", ""),
			refused("PublishTo", "there are no managed instances"),
		}},
		"UpdateFunctionCode": {
			Note:    "What ran before runs until the new code is unpacked.",
			Members: updateCodeMembers(),
		},
		"UpdateFunctionConfiguration": {
			Note: "Members that are not given stay; Environment, Layers and VpcConfig are replaced as a whole.",
			Members: slices.Concat([]MemberCoverage{
				honoured("FunctionName", "unqualified, or with `$LATEST`"),
				honoured("RevisionId", ""),
			}, settingsMembers()),
		},
	}
}

func readMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("FunctionName", ""),
		honoured("Qualifier", "`$LATEST`, a version or an alias"),
	}
}

func layerVersionMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("LayerName", "name or ARN; another account's can be read, and needs no permission yet"),
		honoured("VersionNumber", ""),
	}
}

func layerListMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("CompatibleRuntime", ""),
		honoured("Marker", ""),
		honoured("MaxItems", ""),
		honoured("CompatibleArchitecture", ""),
	}
}

func createMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("FunctionName", "name or ARN; one with a qualifier is refused"),
		honoured("Code.ZipFile", ""),
		refused("Code.S3Bucket", "code is taken as ZipFile only"),
		refused("Code.S3Key", "code is taken as ZipFile only"),
		refused("Code.S3ObjectVersion", "code is taken as ZipFile only"),
		refused("Code.ImageUri", "there are no image functions"),
		echoed("Code.SourceKMSKeyArn", "archives are not encrypted"),
		honoured("Publish", ""),
		honoured("PackageType", "`Zip`; `Image` is refused"),
		honoured("Tags", "shown by GetFunction"),
		refused("CodeSigningConfigArn", "no such configuration can exist: answered as AWS answers for a missing one"),
		honoured("Architectures", "stored and shown; what a host can run is decided by the bootstrap itself: a binary for another processor is a function error of every invocation, scripts and managed runtimes run anywhere"),
		refused("PublishTo", "there are no managed instances"),
		honoured("TenancyConfig.TenantIsolationMode", "not together with SnapStart, as on AWS; no update changes it"),
	}
}

func updateCodeMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("FunctionName", "unqualified, or with `$LATEST`"),
		honoured("ZipFile", ""),
		refused("S3Bucket", "code is taken as ZipFile only"),
		refused("S3Key", "code is taken as ZipFile only"),
		refused("S3ObjectVersion", "code is taken as ZipFile only"),
		refused("ImageUri", "the package type of a function cannot change"),
		honoured("Publish", ""),
		honoured("DryRun", ""),
		honoured("RevisionId", ""),
		honoured("Architectures", "stored and shown; what a host can run is decided by the bootstrap itself: a binary for another processor is a function error of every invocation, scripts and managed runtimes run anywhere"),
		echoed("SourceKMSKeyArn", "archives are not encrypted"),
		refused("PublishTo", "there are no managed instances"),
	}
}

// settingsMembers are those of withSettings.
func settingsMembers() []MemberCoverage {
	const (
		capacity = "CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig."
		logGroup = "functions see it; log lines are kept by it, and read by CloudWatch Logs clients at the same endpoint"
	)
	return []MemberCoverage{
		honoured("Runtime", "every identifier that AWS accepts can be created"),
		echoed("Role", "no role is assumed: functions get credentials minted by lamb"),
		honoured("Handler", ""),
		honoured("Description", ""),
		honoured("Timeout", ""),
		honoured("MemorySize", "up to 10,240 MB; functions see it, the `process` sandbox does not enforce it"),
		echoed("VpcConfig.SubnetIds", "functions are not attached to a VPC; VpcId is shown empty"),
		echoed("VpcConfig.SecurityGroupIds", "as SubnetIds"),
		echoed("VpcConfig.Ipv6AllowedForDualStack", "as SubnetIds"),
		honoured("Environment.Variables", ""),
		echoed("DeadLetterConfig.TargetArn", "there are no asynchronous invocations"),
		echoed("KMSKeyArn", "variables are not encrypted"),
		honoured("TracingConfig.Mode", "`Active` decides which invocations are sampled and gives each a segment id; lamb itself sends no segments"),
		honoured("Layers", "in `/opt`, the last one on top; those of another account are looked up there, and need no permission yet"),
		echoed("FileSystemConfigs[].Arn", "nothing is mounted"),
		echoed("FileSystemConfigs[].LocalMountPath", "nothing is mounted"),
		refused("ImageConfig.EntryPoint", "there are no image functions"),
		refused("ImageConfig.Command", "there are no image functions"),
		refused("ImageConfig.WorkingDirectory", "there are no image functions"),
		honoured("EphemeralStorage.Size", "by the `native` sandbox as root ([security.md](security.md)); otherwise `/tmp` is not limited"),
		honoured("SnapStart.ApplyOn", "published versions: the init runs when they are published and again for each environment, and is resumed with its hooks; no memory image is kept"),
		honoured("LoggingConfig.LogFormat", "by the runtimes, and by lamb: START, REPORT and the like are JSON then"),
		honoured("LoggingConfig.ApplicationLogLevel", "by the runtimes, and by lamb for lines that are JSON objects with `level` and `timestamp`; refused with format Text"),
		honoured("LoggingConfig.SystemLogLevel", "for the lines of the platform; refused with format Text"),
		honoured("LoggingConfig.LogGroup", logGroup),
		echoed(capacity+"CapacityProviderArn", "this machine stands for every provider; runtimes of the family `provided` only, and `$LATEST` can be invoked as it is"),
		honoured(capacity+"PerExecutionEnvironmentMaxConcurrency", "one environment serves so many invocations at once; 64 for each vCPU when absent"),
		honoured(capacity+"ExecutionEnvironmentMemoryGiBPerVCpu", "for the default of PerExecutionEnvironmentMaxConcurrency only"),
		refused("DurableConfig.RetentionPeriodInDays", "there are no durable functions"),
		refused("DurableConfig.ExecutionTimeout", "there are no durable functions"),
	}
}

func invokeMembers() []MemberCoverage {
	return []MemberCoverage{
		honoured("FunctionName", ""),
		honoured("InvocationType", "`RequestResponse` and `DryRun`; `Event` answers 501"),
		honoured("LogType", ""),
		honoured("ClientContext", ""),
		{"DurableExecutionName", Ignored, "no function is durable, so there is no execution to name"},
		honoured("Payload", ""),
		honoured("Qualifier", "`$LATEST`, a version or an alias"),
		honoured("TenantId", "needed by functions with tenant isolation, refused by others; each tenant has environments of its own"),
	}
}

func honoured(path, note string) MemberCoverage { return MemberCoverage{path, Honoured, note} }
func echoed(path, note string) MemberCoverage   { return MemberCoverage{path, Echoed, note} }
func refused(path, note string) MemberCoverage  { return MemberCoverage{path, Refused, note} }
