// Runs the setter of Flux's image-automation-controller over a directory. It is built within that controller, whose setter
// is an internal package: see .ci/peers.
//
//	setter DIR < policies
//
// Standard input is a JSON list of {"policy": "namespace:name", "name": ..., "tag": ..., "digest": ...}, the latest image of
// each policy. The files of DIR are changed in place.
package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/go-logr/logr"

	reflectorv1 "github.com/fluxcd/image-reflector-controller/api/v1"

	"github.com/fluxcd/image-automation-controller/internal/update"
)

type latest struct {
	Policy string `json:"policy"`
	Name   string `json:"name"`
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
}

func main() {
	var images []latest
	if err := json.NewDecoder(os.Stdin).Decode(&images); err != nil {
		panic(err)
	}
	policies := make([]reflectorv1.ImagePolicy, 0, len(images))
	for _, image := range images {
		var policy reflectorv1.ImagePolicy
		policy.Namespace, policy.Name, _ = strings.Cut(image.Policy, ":")
		policy.Status.LatestRef = &reflectorv1.ImageRef{Name: image.Name, Tag: image.Tag, Digest: image.Digest}
		policies = append(policies, policy)
	}
	if _, err := update.UpdateWithSetters(logr.Discard(), os.Args[1], os.Args[1], policies); err != nil {
		panic(err)
	}
}
