// Package api is the wire side of the Lambda API: the structures of all
// operations, their routes, decoding and validation of requests, encoding of
// answers and errors. Most of it is generated from model.txt; the operations
// themselves are elsewhere, behind Service.
//
// The way of a request: Router.Lookup finds the Operation, Operation.Decode
// reads and validates the input, Operation.Call runs the Service's method and
// Operation.Encode writes what it returned; WriteError writes any failure.
//
// Members that may be absent are nil: pointers, lists and maps. A JSON null is
// absent. An empty list or map that was sent is empty and not nil.
//
// It imports none of our packages.
package api

//go:generate go run ./apigen
