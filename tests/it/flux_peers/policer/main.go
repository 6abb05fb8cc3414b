// Asks Flux's own policer what an ImagePolicy chooses. It is built within image-reflector-controller, whose policer is an
// internal package: see .ci/peers.
//
// Standard input is a JSON list of {"policy": an ImagePolicy as YAML, "tags": [...]}; standard output is the list of
// {"chosen": every tag that some order of the tags leads to, "error": why there is none}.
package main

import (
	"encoding/json"
	"math/rand"
	"os"
	"sort"

	"sigs.k8s.io/yaml"

	imagev1 "github.com/fluxcd/image-reflector-controller/api/v1"
	"github.com/fluxcd/image-reflector-controller/internal/policy"
)

// The database lists tags in an order of its own, and the filter keeps them in a map: what is chosen must not depend on either.
const orders = 12

type question struct {
	Policy string   `json:"policy"`
	Tags   []string `json:"tags"`
}

type answer struct {
	Chosen []string `json:"chosen"`
	Error  string   `json:"error"`
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		panic(err)
	}
	answers := make([]answer, 0, len(questions))
	random := rand.New(rand.NewSource(1))
	for _, question := range questions {
		answers = append(answers, ask(question, random))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}

func ask(question question, random *rand.Rand) answer {
	var object imagev1.ImagePolicy
	if err := yaml.UnmarshalStrict([]byte(question.Policy), &object); err != nil {
		return answer{Error: err.Error()}
	}
	found := map[string]bool{}
	for order := 0; order < orders; order++ {
		tags := append([]string{}, question.Tags...)
		random.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
		chosen, err := apply(&object, tags)
		if err != nil {
			return answer{Error: err.Error()}
		}
		found[chosen] = true
	}
	result := answer{Chosen: []string{}}
	for tag := range found {
		result.Chosen = append(result.Chosen, tag)
	}
	sort.Strings(result.Chosen)
	return result
}

// As applyPolicy of internal/controller/imagepolicy_controller.go, which is not exported.
func apply(object *imagev1.ImagePolicy, tags []string) (string, error) {
	policer, err := policy.PolicerFromSpec(object.Spec.Policy)
	if err != nil {
		return "", err
	}
	if object.Spec.FilterTags == nil {
		return policer.Latest(tags)
	}
	filter, err := policy.NewRegexFilter(object.Spec.FilterTags.Pattern, object.Spec.FilterTags.Extract)
	if err != nil {
		return "", err
	}
	filter.Apply(tags)
	latest, err := policer.Latest(filter.Items())
	if err != nil {
		return "", err
	}
	return filter.GetOriginalTag(latest), nil
}
