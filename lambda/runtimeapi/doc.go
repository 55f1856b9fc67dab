// Package runtimeapi is a client of AWS Lambda's Runtime API, version
// 2018-06-01: what package lambda runs functions with, for those who write a
// runtime of their own.
//
// A runtime is a loop:
//
//	client := runtimeapi.Client{Endpoint: os.Getenv("AWS_LAMBDA_RUNTIME_API")}
//	var inv runtimeapi.Invocation
//	for {
//		if err := client.Next(&inv); err != nil {
//			log.Fatal(err) // Lambda starts the process anew
//		}
//		if err := client.PostResponse(&inv, "application/json", handle(inv.Payload)); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// Next and PostResponse read into buffers that are used again, and allocate
// nothing once these have grown. A Client has one keep-alive connection and is
// for one goroutine; a runtime that takes several events at once
// (AWS_LAMBDA_MAX_CONCURRENCY) has a Client for each.
//
// The package speaks HTTP/1.1 by itself, because net/http's start-up costs a
// function more than all the rest of it.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeapi
