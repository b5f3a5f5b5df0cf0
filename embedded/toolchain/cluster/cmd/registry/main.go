// Command registry is the distribution registry with the file system as its
// only storage driver: upstream's main links the SDKs of three cloud providers.
package main

import (
	_ "net/http/pprof"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/proxy"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	// The command reports its own errors and exits with the right code.
	_ = registry.RootCmd.Execute()
}
