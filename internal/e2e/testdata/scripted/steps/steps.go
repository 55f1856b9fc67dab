// Package steps is what scripted programs do: the tests write lists of steps,
// and the program in the folder above plays them.
package steps

// Plays are the scripts of many functions, by their names.
type Plays map[string]Play

// Play has the scripts of one function's players: "bootstrap" is the runtime,
// and extensions are called as their files are. Each has a list of steps for
// every time that it is started; the last one is used again.
type Play map[string][][]Step

// Step is one thing that a player does. In texts, {name} stands for what an
// earlier step has saved under that name, and {api} for the API's address.
type Step struct {
	Do Verb `json:"do"`

	// Of Call. Save names headers of the answer that are kept, by the names
	// that they get. Fill makes a body of so many bytes.
	Method string            `json:"method,omitempty"`
	Path   string            `json:"path,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	Fill   int               `json:"fill,omitempty"`
	Save   map[string]string `json:"save,omitempty"`
	// What is expected of the answer: its status, its whole body, a part of it.
	Status int    `json:"status,omitempty"`
	Is     string `json:"is,omitempty"`
	Has    string `json:"has,omitempty"`

	Text  string `json:"text,omitempty"`
	Code  int    `json:"code,omitempty"`
	Steps []Step `json:"steps,omitempty"`
}

// Verb is what a step does.
type Verb string

// The verbs.
const (
	Call   Verb = "call"   // one request to the environment's API
	Serve  Verb = "serve"  // answers events with themselves, for ever
	Attend Verb = "attend" // asks for events as {id} until SHUTDOWN, telling them
	Listen Verb = "listen" // is a server for telemetry on {port}; Text says how it behaves
	Dump   Verb = "dump"   // tells the telemetry that has come, when it is at least Code events
	Await  Verb = "await"  // waits until telemetry has come with Text in it
	Tally  Verb = "tally"  // waits until Code events of telemetry have come or are told to be dropped, and tells of that
	Print  Verb = "print"  // writes Text, Code times if that is not 0
	Exit   Verb = "exit"   // ends with Code
	Hang   Verb = "hang"   // does nothing for ever
	Set    Verb = "set"    // raises the flag Text, for all players and lives
	Wait   Verb = "wait"   // waits for the flag Text
	Catch  Verb = "catch"  // on SIGTERM raises the flag Text instead of ending
	Raw    Verb = "raw"    // sends Text, as it is, and expects Has in the answer
	Spawn  Verb = "spawn"  // plays Steps beside the rest
)

// The ways in which a Listen behaves: as it should over HTTP, or over TCP, or
// badly.
const (
	OverHTTP = ""
	OverTCP  = "tcp"
	Hangs    = "hangs"  // takes requests and never answers
	Resets   = "resets" // resets every connection
	Refuses  = "500"    // answers with this status
	Slow     = "slow"   // answers a good while later
	Held     = "held"   // answers nothing before the flag "go" is raised
)
