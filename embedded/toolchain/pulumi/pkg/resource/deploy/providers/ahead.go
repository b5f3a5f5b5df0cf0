package providers

import (
	"context"
	"maps"
	"slices"
	"sync"

	pkgresource "github.com/pulumi/pulumi/pkg/v3/resource"
	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/env"
	"github.com/pulumi/pulumi/sdk/v3/go/common/promise"
	"github.com/pulumi/pulumi/sdk/v3/go/common/providers"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// started is a provider whose plugin was started before anybody asked for it.
type started struct {
	pctx       *plugin.Context
	descriptor workspace.PluginDescriptor
	variables  env.Env
	provider   *promise.Promise[plugin.Provider]
}

var (
	aheadLock sync.Mutex
	ahead     []started
)

// NewRegistryAhead does what NewRegistry does, and starts the plugins of the providers that are in the state.
//
// Upstream starts one after the other, each when the program registers its provider; a program in Python does so when it
// has run to its end. One that isn't asked for is closed with the others.
func NewRegistryAhead(
	pctx *plugin.Context, isPreview bool, builtins plugin.Provider, olds []*pkgresource.State,
) *Registry {
	for _, res := range olds {
		if providers.IsProviderType(res.URN.Type()) && !res.Delete {
			startAhead(pctx, res)
		}
	}
	return NewRegistry(pctx, isPreview, builtins)
}

func startAhead(pctx *plugin.Context, res *pkgresource.State) {
	pkg := providers.GetProviderPackage(res.URN.Type())
	name, nameErr := GetProviderName(pkg, res.Inputs)
	version, versionErr := GetProviderVersion(res.Inputs)
	url, urlErr := GetProviderDownloadURL(res.Inputs)
	mappings, mappingsErr := GetEnvironmentVariableMappings(res.Inputs)
	if name == "pulumi" || nameErr != nil || versionErr != nil || urlErr != nil || mappingsErr != nil {
		return // there is no plugin, or Check says what is wrong
	}
	descriptor := workspace.PluginDescriptor{
		Kind: apitype.ResourcePlugin, Name: string(name), Version: version, PluginDownloadURL: url,
	}
	variables := buildEnvWithMappings(mappings)
	provider := promise.Run(func() (plugin.Provider, error) { return pctx.Host.Provider(pctx, descriptor, variables) })
	aheadLock.Lock()
	defer aheadLock.Unlock()
	ahead = append(ahead, started{pctx, descriptor, variables, provider})
}

// Close closes a context when the plugins that were started ahead for it are there, since it ends only those. A program
// that fails at once asks for none of them.
func Close(pctx *plugin.Context) error {
	aheadLock.Lock()
	left := slices.Clone(ahead)
	aheadLock.Unlock()
	for _, each := range left {
		if each.pctx == pctx {
			_, _ = each.provider.Result(context.Background()) // one that fails has ended
		}
	}
	return pctx.Close()
}

// provided is the Provider of the context's host, which is started now if it wasn't ahead.
func provided(
	ctx context.Context, pctx *plugin.Context, descriptor workspace.PluginDescriptor, variables env.Env,
) (plugin.Provider, error) {
	aheadLock.Lock()
	index := slices.IndexFunc(ahead, func(s started) bool {
		return s.pctx == pctx && s.descriptor.String() == descriptor.String() &&
			s.descriptor.PluginDownloadURL == descriptor.PluginDownloadURL && len(descriptor.Checksums) == 0 &&
			maps.Equal(values(s.variables), values(variables))
	})
	if index < 0 {
		aheadLock.Unlock()
		return pctx.Host.Provider(pctx, descriptor, variables)
	}
	found := ahead[index]
	ahead = slices.Delete(ahead, index, index+1)
	aheadLock.Unlock()
	return found.provider.Result(ctx)
}

func values(variables env.Env) map[string]string { return maps.Collect(variables.GetStore().Values()) }
