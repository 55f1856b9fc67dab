// Package metrics counts and measures, and shows the result in Prometheus'
// text format. It owns what /metrics says, and knows nothing of lamb: which
// metrics there are is for the packages that observe.
//
// It has what lamb needs of a metrics library and costs a command that serves
// nothing no time: there are no package variables to build. Observing takes no
// lock and allocates nothing. Names that do not fit, and the same name twice,
// are mistakes of the program and panic when they are registered.
//
// The format: https://prometheus.io/docs/instrumenting/exposition_formats/
package metrics
