package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Defaults of Limits.
const (
	DefaultConnections      = 512
	DefaultTotalConnections = 8192
	DefaultDials            = 64
	DefaultFlows            = 256
	DefaultQueries          = 64
	DefaultDialTimeout      = 20 * time.Second
	DefaultFlowIdle         = 60 * time.Second
)

// ErrUnsupported: this platform has no network namespaces.
var ErrUnsupported = errors.New("private networks need Linux")

// ErrNoTPROXY: the kernel lacks what Setup needs of nftables.
var ErrNoTPROXY = errors.New("the kernel has no TPROXY for nftables")

// Config configures New.
type Config struct {
	// Policy is what sandboxes may reach; its Own is set by New when nil.
	Policy Policy
	// Name is the sandboxes' own host name, which the name server resolves to
	// loopback; empty means none.
	Name string
	// ResolvConf is the file with the host's name servers; empty means
	// /etc/resolv.conf. It is read again when it changes.
	ResolvConf string
	// Limits bound what sandboxes take.
	Limits Limits
	// Logger receives what was denied, at debug level; nil discards.
	Logger *slog.Logger
}

// Limits bound what sandboxes take of the host. Zero means the default.
type Limits struct {
	// Connections, Dials, Flows and Queries are for one sandbox: TCP
	// connections, those of them that are being dialled, UDP peers, and DNS
	// queries that wait for an answer. More connections wait to be accepted,
	// the longest idle flow makes room, and queries are dropped.
	Connections, Dials, Flows, Queries int
	// TotalConnections is for all sandboxes, with their flows and queries;
	// more are refused. A connection holds up to six descriptors, so the
	// default is lower where few files may be open.
	TotalConnections int
	// DialTimeout ends an attempt to connect.
	DialTimeout time.Duration
	// FlowIdle ends a UDP flow without traffic.
	FlowIdle time.Duration
}

func (l *Limits) fill() {
	for _, d := range []struct {
		value *int
		zero  int
	}{
		{&l.Connections, DefaultConnections},
		{&l.TotalConnections, DefaultTotalConnections},
		{&l.Dials, DefaultDials},
		{&l.Flows, DefaultFlows},
		{&l.Queries, DefaultQueries},
	} {
		if *d.value <= 0 {
			*d.value = d.zero
		}
	}
	if l.DialTimeout <= 0 {
		l.DialTimeout = DefaultDialTimeout
	}
	if l.FlowIdle <= 0 {
		l.FlowIdle = DefaultFlowIdle
	}
}

// SessionConfig is what differs between environments.
type SessionConfig struct {
	// ID is for logs.
	ID string
	// LambdaAPI opens a connection to the Lambda API that is marked as coming
	// from this environment; nil refuses.
	LambdaAPI func(context.Context) (net.Conn, error)
}
