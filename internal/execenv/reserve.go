package execenv

import (
	"encoding/json"
	"time"
)

// Reservation is the right to run one invocation in an environment, for a
// while. Its holder hands it in with Terms.
type Reservation struct {
	Token    string // unique
	InvokeID string // the request id of the invocation that it is for
	Version  string // the function's version that the environment runs
	Expires  time.Time
}

// Terms are what a caller knows or asks of an invocation beside its event.
type Terms struct {
	// Reservation is what Reserve gave; nil where nothing was reserved.
	Reservation *Reservation
	// Timeout, if it is shorter than the function's, replaces that; zero does
	// not.
	Timeout time.Duration
	// Received is when the caller's request had come, and RequestRead how long
	// its body took; for the Record.
	Received    time.Time
	RequestRead time.Duration
}

// Reserve keeps the environment for the invocation with the given request id:
// until the reservation has expired, or Clear, no other one is taken. It
// expires after validFor, or after the function's timeout when that is zero.
// Errors: ErrBusy, ErrReserved, ErrIllegalMove, ErrClosed.
func (e *Environment) Reserve(invokeID string, validFor time.Duration) (Reservation, error) {
	if validFor <= 0 {
		validFor = timeoutOf(e.run)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.awaitIdleResetLocked()
	now := e.cfg.Clock.Now()
	switch {
	case e.inv != nil && e.phase < phaseBroken:
		return Reservation{}, ErrBusy
	case e.phase != phaseReady && e.phase != phaseNeedsInit:
		return Reservation{}, e.phase.illegal("Reserve")
	case e.reservation != nil && now.Before(e.reservation.Expires):
		return Reservation{}, ErrReserved
	}
	r := Reservation{Token: newUUID(), InvokeID: invokeID, Version: e.cfg.Version.Version, Expires: now.Add(validFor)}
	e.reservation = &r
	return r, nil
}

// Clear gives up a reservation that was not used, and forgets the first fatal
// error. The error is ErrClosed.
func (e *Environment) Clear() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.phase >= phaseBroken {
		return ErrClosed
	}
	e.reservation, e.fatal = nil, ""
	return nil
}

// admitLocked checks an invocation against the reservation that there is, and
// uses that up.
func (e *Environment) admitLocked(inv *Invocation) error {
	var shown *Reservation
	if inv.Terms != nil {
		shown = inv.Terms.Reservation
	}
	held := e.reservation
	expired := held != nil && !e.cfg.Clock.Now().Before(held.Expires)
	switch {
	case shown == nil && (held == nil || expired):
		e.reservation = nil
		return nil
	case shown == nil:
		return ErrReserved
	case held == nil || held.Token != shown.Token:
		return ErrUnknownReservation
	case shown.Version != held.Version:
		return ErrWrongVersion
	case inv.Event.RequestID != held.InvokeID:
		return ErrWrongInvokeID
	case expired:
		e.reservation = nil
		return ErrReservationExpired
	}
	e.reservation = nil
	return nil
}

// check refuses an invocation that cannot be handed to a runtime as it is. What
// is usual costs nothing.
func (inv *Invocation) check() error {
	for _, header := range [...]string{inv.Event.ClientContext, inv.Event.CognitoIdentity} {
		if header != "" && !json.Valid([]byte(header)) {
			return ErrMalformedCustomerHeaders
		}
	}
	if b, ok := inv.Responder.(Buffered); ok {
		return b.check()
	}
	return nil
}
