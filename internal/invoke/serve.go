package invoke

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// Serve answers the operation Invoke; in is a decoded and validated
// *api.InvocationRequest, and the request's context carries the api.Caller.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, in any) {
	caller := api.CallerFrom(r.Context())
	if err := s.serve(w, r, in.(*api.InvocationRequest), caller); err != nil {
		api.WriteError(w, caller.RequestID, err)
	}
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, in *api.InvocationRequest, caller api.Caller) error {
	v, req, err := s.accept(r, caller, asked{
		name: in.FunctionName, qualifier: in.Qualifier, tenant: in.TenantId,
		clientContext: in.ClientContext, logType: in.LogType, payload: in.Payload,
	})
	if err != nil {
		return err
	}
	switch api.Value(in.InvocationType) {
	case api.InvocationTypeDryRun:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case api.InvocationTypeEvent:
		return api.NewNotImplemented("lamb does not implement the operation Invoke with InvocationType Event")
	}
	if l, ok := w.(later); ok && !req.WantLog {
		if done := l.Later(); done != nil {
			s.serveLater(w, r, v, req, done)
			return nil
		}
	}
	result, err := s.Invoke(r.Context(), v, req)
	if err != nil {
		return err
	}
	writeResult(w, result, req.Trace.Header)
	return nil
}

// asked is what the operations that invoke have in common.
type asked struct {
	name, qualifier, tenant, clientContext, logType *string
	payload                                         []byte
}

// accept checks what is asked, in the service's order, and says what is to run.
func (s *Service) accept(r *http.Request, caller api.Caller, in asked) (*function.Version, Request, error) {
	ref, err := parseRef(caller, api.Value(in.name), api.Value(in.qualifier))
	if err != nil {
		return nil, Request{}, err
	}
	v, err := s.Resolve(ref)
	if err != nil {
		return nil, Request{}, err
	}
	tenant, err := Tenant(v, in.tenant)
	if err != nil {
		return nil, Request{}, err
	}
	clientContext, err := decodeClientContext(api.Value(in.clientContext))
	if err != nil {
		return nil, Request{}, err
	}
	if err := checkPayload(in.payload); err != nil {
		return nil, Request{}, err
	}
	return v, Request{
		Ref: ref, RequestID: caller.RequestID, Payload: in.payload, ClientContext: clientContext,
		Trace: s.Trace(v, r.Header.Get("X-Amzn-Trace-Id")), TenantID: tenant,
		WantLog:  api.Value(in.logType) == api.LogTypeTail,
		Received: caller.Received, BodyRead: caller.BodyRead,
	}, nil
}

// later is a ResponseWriter whose answer can be written after the handler has
// returned, by whoever then calls done. It is nil when that cannot be.
type later interface{ Later() (done func()) }

// maxInline is the largest answer that the goroutine which brought it writes
// itself: what fits into a socket's buffer, so that a caller who does not read
// holds up nobody's environment.
const maxInline = 8 << 10

// serveLater answers on the goroutine that brings the outcome, and so saves
// waking one of its own.
func (s *Service) serveLater(w http.ResponseWriter, r *http.Request, v *function.Version, req Request, done func()) {
	err := s.Begin(r.Context(), v, req, func(result Result) {
		answer := func() {
			defer done()
			writeResult(w, result, req.Trace.Header)
		}
		if len(result.Payload) > maxInline {
			go answer()
			return
		}
		answer()
	})
	if err != nil {
		api.WriteError(w, req.RequestID, err)
		done()
	}
}

// writeResult answers with a result and releases it.
func writeResult(w http.ResponseWriter, result Result, traceID string) {
	defer result.Release()
	h := w.Header()
	h.Set("X-Amzn-Trace-Id", traceID)
	contentType := result.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(result.Payload)))
	h.Set("X-Amz-Executed-Version", result.ExecutedVersion)
	if result.FunctionError != "" {
		h.Set("X-Amz-Function-Error", result.FunctionError)
	}
	if result.LogTail != "" {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(result.LogTail)))
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(result.Payload) // a caller that has gone is nobody's error
}

// parseRef reads the function's name and words its faults as the service does.
func parseRef(caller api.Caller, name, qualifier string) (function.Ref, error) {
	ref, err := function.ParseRef(function.Scope{Partition: caller.Partition, Account: caller.Account, Region: caller.Region}, name, qualifier)
	if err == nil {
		return ref, nil
	}
	var (
		otherRegion  *function.OtherRegionError
		otherAccount *function.OtherAccountError
	)
	switch {
	case errors.As(err, &otherRegion):
		return ref, api.NewResourceNotFound("%s", err)
	case errors.As(err, &otherAccount):
		return ref, &api.AccessDeniedException{}
	}
	return ref, api.NewInvalidParameterValue("%s", err)
}
