package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// printTimings prints what the calls took: as this client saw it, and as lamb
// reports it, the way AWS does, in the REPORT line.
func printTimings(w io.Writer, all []shown) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\nTimings: the first call, which starts the function, and the median of %d after it\n\n", warmCalls)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "function\truntime\tfirst call\tinit\thandler\twarm call\thandler\tmemory\t")
	for _, s := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", s.function.name, s.function.runtime,
			milliseconds(s.cold.took), s.cold.field("Init Duration"), s.cold.field("Duration"),
			milliseconds(s.warm.took), s.warm.field("Duration"), s.warm.field("Max Memory Used"))
	}
	table.Flush()
}

// field is a field of the answer's REPORT line, or a dash.
func (a *answer) field(name string) string { return cmp.Or(a.report[name], "-") }

// printNextSteps says how to call what is there with the AWS CLI. Payloads are
// given as fileb://, which every version of the CLI sends as it is.
func printNextSteps(w io.Writer, folder, endpoint string, all []shown) {
	fmt.Fprintf(w, `
lamb stays up. From another terminal, with the AWS CLI as it is (any keys will do):

  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=%s AWS_PAGER=
  aws --endpoint-url %s lambda list-functions --query 'Functions[].FunctionArn'
`, region, endpoint)
	for _, s := range all {
		fmt.Fprintf(w, "  aws --endpoint-url %s lambda invoke --function-name %s --payload fileb://%s /dev/stdout\n",
			endpoint, s.function.name, filepath.ToSlash(filepath.Join(folder, s.function.name, "event.json")))
	}
	if len(all) > 0 {
		name := all[0].function.name
		fmt.Fprintf(w, `
With the payload on the command line, version 2 of the CLI wants to know that it is not base64:

  aws --endpoint-url %s lambda invoke --function-name %s --cli-binary-format raw-in-base64-out --payload '{"name": "you"}' /dev/stdout
`, endpoint, name)
	}
	for _, s := range all {
		if s.function.source == "" {
			continue
		}
		zip := "zip -j own.zip " // who has Python need not have zip
		if strings.HasPrefix(string(s.function.runtime), "python") {
			zip = "python3 -m zipfile -c own.zip "
		}
		fmt.Fprintf(w, `
A function of your own:

  %s%s
  aws --endpoint-url %s lambda create-function --function-name own --runtime %s --handler %s --role %s --zip-file fileb://own.zip
`, zip, filepath.ToSlash(s.function.source), endpoint, s.function.runtime, s.function.handler, role)
		break
	}
	fmt.Fprint(w, "\nCtrl-C stops lamb and takes its store away. What lamb has to say follows.\n\n")
}

// indent lets further lines begin under the first one.
func indent(text string) string {
	return strings.ReplaceAll(text, "\n", "\n           ")
}

// milliseconds writes a duration as the REPORT line does.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// bytesText writes a size in a unit that suits it.
func bytesText(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
