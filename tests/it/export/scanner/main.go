// Asks trivy's own scanner what it finds in Terraform modules, with the checks that are compiled in: no network. It is built
// within trivy's module, without the rest of the program: see .ci/peers.
//
// Arguments are directories of modules; standard output is a JSON list with, for each, {"failed": [{"id": of the check,
// "resource": its address, "line": file and line}], "ignored": the same for what a comment waives, "passed": how many passed}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aquasecurity/trivy/pkg/iac/rego"
	"github.com/aquasecurity/trivy/pkg/iac/scan"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/terraform"
)

type finding struct {
	ID       string `json:"id"`
	Resource string `json:"resource"`
	Line     string `json:"line"`
}

type answer struct {
	Failed  []finding `json:"failed"`
	Ignored []finding `json:"ignored"`
	Passed  int       `json:"passed"`
}

func main() {
	answers := []answer{}
	for _, module := range os.Args[1:] {
		// As pkg/misconf/scanner.go sets it up for `trivy config`.
		scanner := terraform.New(
			rego.WithEmbeddedPolicies(true),
			rego.WithEmbeddedLibraries(true),
			terraform.ScannerWithAllDirectories(true),
			terraform.ScannerWithDownloadsAllowed(false),
			terraform.ScannerWithStopOnHCLError(true),
		)
		results, err := scanner.ScanFS(context.Background(), os.DirFS(module), ".")
		if err != nil {
			panic(err)
		}
		answers = append(answers, answer{
			Failed:  findings(results.GetFailed()),
			Ignored: findings(results.GetIgnored()),
			Passed:  len(results.GetPassed()),
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}

func findings(results scan.Results) []finding {
	all := []finding{}
	for _, result := range results {
		all = append(all, finding{
			ID:       result.Rule().ID,
			Resource: result.Metadata().Reference(),
			Line:     fmt.Sprintf("%s:%d", result.Range().GetFilename(), result.Range().GetStartLine()),
		})
	}
	return all
}
