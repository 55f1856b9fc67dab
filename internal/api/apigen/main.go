// Command apigen writes the generated part of internal/api from the compact
// service model beside it.
//
//	go generate ./internal/api                                # write
//	go run ./internal/api/apigen -check                       # fail when out of date
//	go run ./internal/api/apigen -import lambda-service-2.json # take a newer model, then write
//
// It owns the model's text form (format.go), its conversion from botocore's
// (botocore.go), what AWS has deployed differently (overrides.go) and the
// templates.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "apigen:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("apigen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", defaultDir(), "the folder of package api")
	check := flags.Bool("check", false, "write nothing; fail when a generated file is out of date")
	from := flags.String("import", "", "convert this botocore service model to model.txt first")
	if err := flags.Parse(args); err != nil {
		return err
	}
	modelPath := filepath.Join(*dir, "model.txt")
	if *from != "" {
		if *check {
			return errors.New("-check and -import exclude each other")
		}
		if err := importModel(*from, modelPath); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(modelPath)
	if err != nil {
		return err
	}
	model, err := ReadModel(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", modelPath, err)
	}
	files, err := Generate(model)
	if err != nil {
		return err
	}
	if *check {
		return compare(*dir, files)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(*dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// defaultDir finds the package both from its own folder, where go generate
// runs us, and from the root of the module.
func defaultDir() string {
	if _, err := os.Stat("model.txt"); err == nil {
		return "."
	}
	return filepath.Join("internal", "api")
}

func importModel(from, to string) error {
	in, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	model, err := ImportBotocore(bytes.NewReader(in))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	var out bytes.Buffer
	if err := WriteModel(&out, model); err != nil {
		return err
	}
	return os.WriteFile(to, out.Bytes(), 0o644)
}

// compare reports every generated file that is not what the model gives, and
// every one that the model no longer gives.
func compare(dir string, files map[string][]byte) error {
	var errs []error
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			errs = append(errs, err)
		} else if !bytes.Equal(got, want) {
			errs = append(errs, fmt.Errorf("%s is out of date: run go generate ./internal/api", name))
		}
	}
	present, err := filepath.Glob(filepath.Join(dir, "*_gen*.go"))
	if err != nil {
		return err
	}
	for _, path := range present {
		if files[filepath.Base(path)] == nil {
			errs = append(errs, fmt.Errorf("%s is no longer generated: delete it", path))
		}
	}
	return errors.Join(errs...)
}
