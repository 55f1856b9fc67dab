// Package function holds the domain: what a function, a version and their
// configuration are, how they are named, and which runtimes exist. It is pure
// data and rules: no storage, no network, and it imports none of our packages.
package function

import "time"

// Latest is the version name of a function's unpublished, mutable version.
const Latest = "$LATEST"

// Key names a function; it is unique in an installation. Every record is
// keyed by all four parts.
type Key struct {
	Partition string // "aws", "aws-cn", ...
	Account   string // 12 digits
	Region    string // "us-east-1"
	Name      string // 1 to 64 of [a-zA-Z0-9-_]
}

// Scope is the part of a Key that lists are made over.
type Scope struct {
	Partition, Account, Region string
}

// Scope returns the account and region that the function lives in.
func (k Key) Scope() Scope { return Scope{k.Partition, k.Account, k.Region} }

// ARN is the unqualified ARN.
func (k Key) ARN() string {
	return "arn:" + k.Partition + ":lambda:" + k.Region + ":" + k.Account + ":function:" + k.Name
}

// QualifiedARN is the ARN with ":qualifier"; an empty qualifier gives ARN.
func (k Key) QualifiedARN(qualifier string) string {
	if qualifier == "" {
		return k.ARN()
	}
	return k.ARN() + ":" + qualifier
}

// State is the life state of a function or version.
type State string

// The states that this installation uses.
const (
	StatePending State = "Pending"
	StateActive  State = "Active"
	StateFailed  State = "Failed"
)

// UpdateStatus is the state of the last update; empty while the function is
// being created.
type UpdateStatus string

// The update states.
const (
	UpdateInProgress UpdateStatus = "InProgress"
	UpdateSuccessful UpdateStatus = "Successful"
	UpdateFailed     UpdateStatus = "Failed"
)

// Reason explains a State or an UpdateStatus: a sentence and AWS's code
// (for example "Creating"). Both empty when there is nothing to explain.
type Reason struct {
	Text string `json:",omitempty"`
	Code string `json:",omitempty"`
}

// Version is one version of a function, $LATEST or published, as it is
// stored. A *Version that has been handed out is never changed; an update
// makes a new one.
type Version struct {
	Key     Key
	Version string // Latest, or a decimal number from 1

	// RevisionID is a UUID that changes with every change of the record.
	RevisionID string
	// LastModified has millisecond precision, UTC.
	LastModified time.Time

	State            State
	StateReason      Reason
	LastUpdate       UpdateStatus
	LastUpdateReason Reason

	Code   Code
	Config Config
}

// Content is what a version runs.
type Content struct {
	Code   Code
	Config Config
}

// SnapStarts tells whether the version's environments are resumed from where
// their init ended: published versions are, of functions that ask for it.
func (v *Version) SnapStarts() bool {
	return v.Version != Latest && v.Config.SnapStart == "PublishedVersions"
}

// Runs returns the code and configuration that an invocation of v runs now.
// Its Config.Kept is zero, so that two versions that run the same give equal
// contents.
func (v *Version) Runs() Content {
	c := Content{Code: v.Code, Config: v.Config}
	if v.Config.Kept.Serving != nil {
		c = *v.Config.Kept.Serving
	}
	c.Config.Kept = Kept{}
	return c
}

// Digests are those of the archives that c needs: its code, then its layers.
func (c *Content) Digests() []string {
	return append([]string{c.Code.SHA256}, c.LayerDigests()...)
}

// LayerDigests are those of the archives of c's layers, in their order.
func (c *Content) LayerDigests() []string {
	var digests []string
	for _, l := range c.Config.Layers {
		digests = append(digests, l.SHA256)
	}
	return digests
}

// Code says which archive a version runs.
type Code struct {
	// SHA256 is the digest of the uploaded zip, lower-case hex. AWS's
	// CodeSha256 is the same digest in base64.
	SHA256 string
	// Size is the size of the zip in bytes, Unzipped of what it unpacks to.
	Size     int64
	Unzipped int64
}

// Config is everything that UpdateFunctionConfiguration can change, plus
// package type and architecture. Members that lamb stores and echoes without
// acting on them are kept too, so that a tool reads back what it wrote.
type Config struct {
	Description   string
	Runtime       string // "python3.12"
	Handler       string
	Role          string
	TimeoutSecs   int // 1 to 900
	MemoryMB      int // 128 to 10240
	TmpMB         int // EphemeralStorage.Size, 512 to 10240
	PackageType   string
	Architectures []string // exactly one
	// Environment is nil when never given, and empty when given empty.
	Environment map[string]string
	Layers      []Layer `json:",omitempty"`

	TracingMode string // "PassThrough" or "Active"
	SnapStart   string // ApplyOn: "None" or "PublishedVersions"
	// MaxConcurrency is how many invocations one environment serves at once, 1
	// to 1600; 0 is AWS's usual mode, with one.
	MaxConcurrency int       `json:",omitempty"`
	Capacity       *Capacity `json:",omitempty"`
	Logging        Logging

	DeadLetterARN string `json:",omitempty"`
	KMSKeyARN     string `json:",omitempty"`
	// SourceKMSKeyARN came with the code; archives are not encrypted.
	SourceKMSKeyARN string       `json:",omitempty"`
	VPC             *VPC         `json:",omitempty"`
	FileSystems     []FileSystem `json:",omitempty"`
	ImageConfig     *ImageConfig `json:",omitempty"`
	// TenantIsolation is TenancyConfig.TenantIsolationMode, or empty.
	TenantIsolation string `json:",omitempty"`
	// RuntimeVersionARN is what RuntimeVersionConfig shows.
	RuntimeVersionARN string `json:",omitempty"`

	// Kept is no configuration but is kept with it.
	Kept Kept `json:",omitzero"`
}

// Kept is what a record holds beside what it shows as configuration. It makes
// no difference between two versions.
type Kept struct {
	// Serving is what invocations run while it is not what the record's Code
	// and Config say: during an update of an active function, and after one
	// that failed. Use Version.Runs to read it.
	Serving *Content `json:",omitempty"`
	// Tags belong to the function: only Latest's record has them.
	Tags map[string]string `json:",omitempty"`
	// SourceDescription, of a published version, is the description that
	// Latest had when the version was made from it. With it a second publish
	// can tell that nothing has changed, even if the version was given a
	// description of its own.
	SourceDescription string `json:",omitempty"`
}

// Layer is a layer version that a function uses. The function keeps it when
// the layer version is deleted.
type Layer struct {
	ARN    string
	SHA256 string // lower-case hex, of the layer's zip
	Size   int64  // of the zip, bytes
	// Unzipped is the size of the files in the zip, bytes.
	Unzipped int64
}

// Logging is LoggingConfig. The levels are empty with the Text format.
type Logging struct {
	Format           string // "Text" or "JSON"
	ApplicationLevel string `json:",omitempty"`
	SystemLevel      string `json:",omitempty"`
	Group            string
}

// Capacity is CapacityProviderConfig as it was given.
type Capacity struct {
	ProviderARN      string
	MaxConcurrency   int     `json:",omitempty"` // PerExecutionEnvironmentMaxConcurrency; 0 when not given
	MemoryGiBPerVCPU float64 `json:",omitempty"`
}

// VPC is stored and echoed; functions are not attached to a VPC.
type VPC struct {
	SubnetIDs        []string
	SecurityGroupIDs []string
	VPCID            string
	IPv6             bool
}

// FileSystem is an entry of FileSystemConfigs.
type FileSystem struct {
	ARN            string
	LocalMountPath string
}

// ImageConfig overrides an image's entry point; for package type Image.
type ImageConfig struct {
	EntryPoint       []string `json:",omitempty"`
	Command          []string `json:",omitempty"`
	WorkingDirectory string   `json:",omitempty"`
}
