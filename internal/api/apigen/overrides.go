package main

// What AWS has deployed differs from its published model in places. These
// tables hold the differences that were recorded; everything else is the
// model's. The rules cited are those of the recorded-rules fact sheet.

// readNamePattern is what Get*, Invoke and the like print for a function name
// (rule 21); writeNamePattern is the older form of create and some writes.
const (
	readNamePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?` +
		`(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`
	writeNamePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?` +
		`(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`
)

// patternOverrides replaces a shape's pattern.
var patternOverrides = map[string]string{
	"NamespacedFunctionName": readNamePattern,  // 21
	"FunctionName":           writeNamePattern, // 21
	// The attached form also names AWS's own layers; read off errors that
	// users have published.
	"LayerVersionArn": `(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)`,
}

// maxOverrides replaces a shape's maximum.
var maxOverrides = map[string]string{
	"NamespacedFunctionName": "170",  // 22
	"LayerVersionArn":        "2048", // as its pattern
	"Timeout":                "900",  // the quota; the model has no maximum any more
}

// memberMaxOverrides replaces the maximum for one member of one structure.
var memberMaxOverrides = map[string]string{
	"DeleteFunctionRequest.FunctionName": "140", // 22
}

// enumOverrides replaces the order in which an enum is printed (rule 12).
var enumOverrides = map[string][]string{
	"InvokeMode":          {"RESPONSE_STREAM", "BUFFERED"},
	"EventSourcePosition": {"LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"},
	"RecursiveLoop":       {"Terminate", "Allow"},
	"SnapStartApplyOn":    {"PublishedVersions", "None"},
	"Architecture":        {"x86_64", "arm64"},
}

// unenforced lists the enums that the model names and validation must not
// check, because the service answers in other words: runtime names are
// checked by the operations (rule 17), and layers accept a wider list than
// the model's (rule 19).
var unenforced = map[string]bool{"Runtime": true}

// statusOverrides replaces the status of a success.
var statusOverrides = map[string]int{
	"DeleteFunction": 204, // rule 43; the model says 200
}

// firstMembers are checked before the others of their structure: with several
// faults the qualifier is reported first (control-plane, name checks).
var firstMembers = map[string]bool{"Qualifier": true}

// goNames renames shapes whose names we need for something else.
var goNames = map[string]string{
	"Operation": "DurableOperation", // Operation is an entry of the route table
	"Event":     "DurableEvent",     // an Event elsewhere is what a function is called with
}

// uploads are the members that are spooled to a file while they are decoded.
var uploads = map[string]bool{
	"FunctionCode.ZipFile":              true,
	"UpdateFunctionCodeRequest.ZipFile": true,
	"LayerVersionContentInput.ZipFile":  true,
}

// Body sizes in bytes that an operation accepts (rule 132 and the quotas).
const (
	defaultMaxBody = 1 << 20
	uploadMaxBody  = 70167211
	invokeMaxBody  = 6291456
)

var maxBodies = map[string]int64{
	"CreateFunction":           uploadMaxBody,
	"UpdateFunctionCode":       uploadMaxBody,
	"PublishLayerVersion":      uploadMaxBody,
	"Invoke":                   invokeMaxBody,
	"InvokeWithResponseStream": invokeMaxBody,
}

// An extraError is an answer that the model does not know.
type extraError struct {
	Name, Key string // Key: the member that carries the text
	Status    int
	Doc       string
}

// extraErrors are answers of AWS's front door, which the model leaves out.
// They carry no Type (rule 3).
var extraErrors = []extraError{
	{"AccessDeniedException", "Message", 403, "is the answer to a caller who may not do what was asked."},
	{"ExpiredTokenException", "message", 403, "is the answer to temporary credentials that have run out."},
	{"IncompleteSignatureException", "message", 403, "is the answer to a signature header with parts missing."},
	{"InvalidSignatureException", "message", 403, "is the answer to a signature that does not fit the request."},
	{"MethodNotAllowedException", "message", 405, "is the answer when the path exists but not with this method."},
	{"MissingAuthenticationTokenException", "message", 403, "is the answer to a request without a signature."},
	{"NotImplementedException", "message", 501, "is lamb's answer for an operation that it does not implement."},
	{"RequestEntityTooLargeException", "message", 413, "is the answer to a body over the limit of its operation."},
	{"SerializationException", "message", 400, "is the answer to a request that cannot be parsed: broken JSON, or a value of the wrong type."},
	{"UnknownOperationException", "message", 404, "is the answer to a path that belongs to no operation."},
	{"UnrecognizedClientException", "message", 403, "is the answer to an access key that does not exist."},
	{"ValidationException", "message", 400, "is the answer to a request that breaks the model's constraints."},
}
