// Package project knows what a folder with a function's source is: which
// language it is in, how it is built, what goes into its deployment package,
// and what its lamb.toml says of the function. It talks to no service.
//
//	Open ─▶ Project ─Files─▶ []pack.File        (builds Go; a zip, a folder, a sandbox)
//	           └────Create─▶ api.CreateFunctionRequest   (for deploy)
package project
