package gateway

import (
	"strconv"
	"time"

	"github.com/lambhq/lamb/internal/metrics"
)

const (
	// unknownOperation labels requests that never became an operation.
	unknownOperation = "unknown"

	// maxOperations is more than the API has, whatever its next models add.
	maxOperations = 200
	// maxStatuses bounds the statuses of an operation: functions choose those
	// of their URLs' answers.
	maxStatuses = 100
	// otherStatuses labels all further ones.
	otherStatuses = "(others)"
)

// doorMetrics counts API requests. Their labels are resolved once per operation
// and once per status, not per request.
type doorMetrics struct {
	inFlight   *metrics.Gauge
	operations *metrics.Lookup[string, operationMetrics]
}

type operationMetrics struct {
	duration *metrics.Histogram
	requests *metrics.Lookup[int, *metrics.Counter] // by status
}

func newMetrics(r *metrics.Registry) *doorMetrics {
	// From a warm invocation to the longest one, in seconds.
	bounds := []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}
	requests := r.Counters("lamb_api_requests_total", "API requests answered, by operation and HTTP status.", "code", "operation")
	durations := r.Histograms("lamb_api_request_duration_seconds", "Time from a request's headers to the end of its answer, by operation.", bounds, "operation")
	return &doorMetrics{
		inFlight: r.Gauge("lamb_api_requests_in_flight", "API requests that are being answered."),
		operations: metrics.NewLookup(maxOperations, unknownOperation, func(operation string) operationMetrics {
			return operationMetrics{
				duration: durations.With(operation),
				requests: metrics.NewLookup(maxStatuses, 0, func(status int) *metrics.Counter {
					code := otherStatuses
					if status != 0 {
						code = strconv.Itoa(status)
					}
					return requests.With(code, operation)
				}),
			}
		}),
	}
}

// done counts an answered request.
func (m *doorMetrics) done(operation string, status int, took time.Duration) {
	if operation == "" {
		operation = unknownOperation
	}
	op := m.operations.Get(operation)
	op.duration.Observe(took.Seconds())
	op.requests.Get(status).Inc()
}
