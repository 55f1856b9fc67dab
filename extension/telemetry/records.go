package telemetry

// InitStart is the beginning of an initialization.
type InitStart struct {
	Phase
	Instance
	Tracing *Tracing `json:"tracing"`
}

// InitRuntimeDone is the end of the runtime's part of an initialization.
type InitRuntimeDone struct {
	Phase
	Outcome
}

// InitReport is the end of an initialization.
type InitReport struct {
	Phase
	Outcome
	Metrics struct {
		Duration Milliseconds `json:"durationMs"`
	} `json:"metrics"`
}

// Start is the beginning of an invocation.
type Start struct {
	RequestID   string   `json:"requestId"`
	Version     string   `json:"version"`
	FunctionARN string   `json:"functionArn"`
	TenantID    string   `json:"tenantId"`
	Tracing     *Tracing `json:"tracing"`
}

// RuntimeDone is the end of the runtime's part of an invocation.
type RuntimeDone struct {
	RequestID string `json:"requestId"`
	TenantID  string `json:"tenantId"`
	Outcome
	Metrics struct {
		Duration Milliseconds `json:"durationMs"`
		// ProducedBytes is how long the answer was.
		ProducedBytes int64 `json:"producedBytes"`
	} `json:"metrics"`
}

// Report is the end of an invocation, with what is billed.
type Report struct {
	RequestID string `json:"requestId"`
	TenantID  string `json:"tenantId"`
	Outcome
	Metrics ReportMetrics `json:"metrics"`
}

// ReportMetrics are an invocation's figures. Those that do not apply are zero:
// of managed instances, all but Duration.
type ReportMetrics struct {
	Duration              Milliseconds `json:"durationMs"`
	BilledDuration        Milliseconds `json:"billedDurationMs"`
	MemorySizeMB          int          `json:"memorySizeMB"`
	MaxMemoryUsedMB       int          `json:"maxMemoryUsedMB"`
	InitDuration          Milliseconds `json:"initDurationMs"`
	RestoreDuration       Milliseconds `json:"restoreDurationMs"`
	BilledRestoreDuration Milliseconds `json:"billedRestoreDurationMs"`
}

// RestoreStart is the beginning of a restoration from a snapshot.
type RestoreStart struct {
	Instance
}

// RestoreRuntimeDone is the end of the runtime's part of a restoration.
type RestoreRuntimeDone struct {
	Outcome
}

// RestoreReport is the end of a restoration.
type RestoreReport struct {
	Outcome
	Metrics struct {
		Duration Milliseconds `json:"durationMs"`
	} `json:"metrics"`
}

// ExtensionState is what has become of an extension.
type ExtensionState struct {
	Name string `json:"name"`
	// State is Registered, Ready, LaunchError and so on.
	State     string   `json:"state"`
	Events    []string `json:"events"`
	ErrorType string   `json:"errorType"`
}

// Subscription is a subscription to telemetry.
type Subscription struct {
	Name  string   `json:"name"`
	State string   `json:"state"`
	Types []string `json:"types"`
}

// LogsDropped says that events were lost, because they were not taken fast
// enough.
type LogsDropped struct {
	Reason         string `json:"reason"`
	DroppedRecords int64  `json:"droppedRecords"`
	DroppedBytes   int64  `json:"droppedBytes"`
}
