package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/function"
)

// serveAPI answers a request to the Lambda API.
func (g *Gateway) serveAPI(rq *request) {
	g.metrics.inFlight.Inc()
	rq.counted = true
	signer, err := g.identify(rq.r)
	if err != nil {
		rq.failUnread(err)
		return
	}
	op, params, err := g.router.Lookup(rq.r.Method, rq.r.URL.EscapedPath(), rq.r.URL.RawQuery)
	if err != nil {
		rq.failUnread(err)
		return
	}
	rq.w.operation = op.Name
	// Before the body, so that a function cannot make lamb take an archive
	// that it may not create, and so before the signature is verified: a
	// refusal needs no proof of who is refused.
	if signer.minted && !auth.Allowed(signer.owner.Access, op.Name) {
		rq.failUnread(auth.Denied(signer.owner, op.Name, resource(signer, op, params)))
		return
	}
	if err := api.TooLarge(op, rq.r, rq.r.ContentLength); err != nil {
		rq.failUnread(err)
		return
	}
	b, err := g.bodies.read(rq.w, rq.r, op.MaxBody, inMemory(op), signer.minted)
	switch {
	case errors.Is(err, errTooSlow):
		// It is not waited for any longer: its deadline has passed.
		rq.fail(api.NewInvalidRequestContent("The request body was not received in time."))
		return
	case err != nil:
		rq.failUnread(bodyError(rq, op, err))
		return
	}
	rq.body, rq.read = b, time.Now()
	if err := g.run(rq, signer, op, params, b); err != nil {
		rq.fail(err)
	}
}

// run does what needs the body: the signature in full, and the operation.
func (g *Gateway) run(rq *request, signer signer, op *api.Operation, params api.PathParams, b *body) error {
	if signer.minted {
		if err := auth.Verify(rq.r, signer.signature, signer.credentials, b.sum, g.cfg.Clock.Now()); err != nil {
			return err
		}
	}
	in, err := op.Decode(rq.r, params, b.forAPI())
	if err != nil {
		return err
	}
	if holder, ok := in.(io.Closer); ok {
		defer rq.closeInput(holder)
	}
	ctx := api.WithCaller(rq.r.Context(), rq.caller(signer))
	if raw := g.cfg.Raw[op.Name]; raw != nil {
		raw(rq.w, rq.r.WithContext(ctx), in)
		return nil
	}
	return op.Serve(ctx, g.cfg.Service, in, rq.w)
}

// caller is the signer of a request as operations know it.
func (rq *request) caller(s signer) api.Caller {
	return api.Caller{
		Partition:   s.scope.Partition,
		Account:     s.scope.Account,
		Region:      s.scope.Region,
		RequestID:   rq.id,
		AccessKeyID: s.signature.AccessKeyID,
		Host:        rq.r.Host,
		Environment: s.owner.Environment,
		Received:    rq.start,
		BodyRead:    rq.read.Sub(rq.start),
	}
}

// signer is who signed a request, as far as its form says.
type signer struct {
	signature auth.Signature
	scope     function.Scope // where the signer acts
	// minted keys are lamb's own, or were given to environments by it: theirs is
	// the only secret that lamb knows, and so the only signature that can be
	// verified.
	minted      bool
	credentials auth.Credentials
	owner       auth.Owner
}

// identify reads the signature of a request to the Lambda API, without
// verifying it.
func (g *Gateway) identify(r *http.Request) (signer, error) { return g.identifyFor(r, auth.Service) }

// identifyFor is identify for a service.
func (g *Gateway) identifyFor(r *http.Request, service string) (signer, error) {
	sig, err := auth.Parse(r)
	if err != nil {
		return signer{}, err
	}
	if err := sig.CheckService(service); err != nil {
		return signer{}, err
	}
	s := signer{signature: sig, scope: function.Scope{
		Partition: auth.Partition(sig.Region),
		Account:   auth.Account(sig.AccessKeyID, g.cfg.Account),
		Region:    sig.Region,
	}}
	inside := environmentOf(r.Context())
	s.credentials, s.owner, s.minted = g.cfg.Keyring.LookupIn(sig.AccessKeyID, inside)
	switch {
	case s.minted:
	case inside == "" && !auth.LooksMinted(sig.AccessKeyID):
		return s, nil // a stranger's
	default:
		return signer{}, auth.ErrUnknownKey
	}
	s.scope.Account = s.owner.Account
	return s, nil
}

// resource is what an operation would have acted on, for the text of a
// refusal: the function that its path names, else everything.
func resource(s signer, op *api.Operation, params api.PathParams) string {
	if params[0] == "" {
		return "*"
	}
	ref, err := function.ParseRef(s.scope, params[0], "")
	if err != nil {
		return "*"
	}
	return ref.ARN()
}

// inMemory is how much of an operation's body is kept in memory. A payload
// goes to a runtime as it came and has to be there as a whole.
func inMemory(op *api.Operation) int64 {
	switch op.Name {
	case "Invoke", "InvokeAsync", "InvokeWithResponseStream":
		return op.MaxBody
	}
	return memoryBody
}

// bodyError is the answer to a body that could not be read.
func bodyError(rq *request, op *api.Operation, err error) error {
	var large *tooLargeError
	switch {
	case errors.As(err, &large):
		return api.TooLarge(op, rq.r, large.atLeast)
	case errors.Is(err, errCut):
		return api.NewInvalidRequestContent("The request body was not received completely.")
	}
	return err
}
