// Pulumi's Kubernetes provider, as upstream's main starts it. That one embeds files which are made of these two when a
// version is released, so that nobody else can build it; the two themselves are put beside this file for the build.
package main

import (
	_ "embed"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	// The release is all that upstream's build adds to the schema, which is one JSON object.
	versioned := append(fmt.Appendf(nil, "{%q: %q,", "version", version.Version), schema[1:]...)
	provider.Serve("kubernetes", version.Version, versioned, terraformMapping)
}
