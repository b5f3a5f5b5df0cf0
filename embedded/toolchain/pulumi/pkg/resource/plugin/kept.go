package plugin

import (
	"context"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/contract"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// keptLanguageRuntime is a language host that only has been asked about itself: closed, it waits for the next context
// of this process that wants the same.
//
// Upstream's `up` and `preview` start one to note its version, end it, and start another one for the program. Nobody
// waits for one that isn't wanted again: it ends with this process, which holds its standard input.
type keptLanguageRuntime struct {
	LanguageRuntime
	key   string
	ctx   *Context
	asked atomic.Bool
	taken atomic.Bool
}

var keptLanguageRuntimes sync.Map // by key

// KeptLanguageRuntime does what NewLanguageRuntime does, with the language host that waits if there is one.
func KeptLanguageRuntime(host Host, ctx *Context, runtime, workingDirectory string) (LanguageRuntime, error) {
	environment := append(os.Environ(), cloudCredentialEnvVars(ctx)...)
	key := strings.Join(append([]string{runtime, workingDirectory}, environment...), "\x00")
	if found, has := keptLanguageRuntimes.LoadAndDelete(key); has {
		kept := found.(*keptLanguageRuntime)
		kept.taken.Store(true)
		if kept.greet(host, ctx) {
			return kept, nil
		}
		contract.IgnoreClose(kept)
	}
	language, err := NewLanguageRuntime(host, ctx, runtime, workingDirectory)
	if err != nil {
		return nil, err
	}
	return &keptLanguageRuntime{LanguageRuntime: language, key: key, ctx: ctx}, nil
}

// greet tells the language host the address of its new engine, and has what it prints shown by that.
func (k *keptLanguageRuntime) greet(host Host, ctx *Context) bool {
	language, ok := k.LanguageRuntime.(*langhost)
	if !ok || language.plug == nil {
		return false
	}
	request := &pulumirpc.LanguageHandshakeRequest{EngineAddress: host.ServerAddr()}
	response, err := languageHandshake(ctx.Request(), language.plug.Bin, language.runtime, language.plug.Conn, request)
	if err != nil || response == nil {
		return false
	}
	// It is read for each line, the first of which the program prints later on; nobody else uses the closed context.
	k.ctx.Diag = ctx.Diag
	return true
}

func (k *keptLanguageRuntime) About(ctx context.Context, info ProgramInfo) (AboutInfo, error) {
	k.asked.Store(true)
	return k.LanguageRuntime.About(ctx, info)
}

func (k *keptLanguageRuntime) waits() bool { return k.asked.Load() && !k.taken.Load() }

func (k *keptLanguageRuntime) Cancel(ctx context.Context) error {
	if k.waits() {
		return nil
	}
	return k.LanguageRuntime.Cancel(ctx)
}

func (k *keptLanguageRuntime) Close() error {
	if k.waits() {
		keptLanguageRuntimes.Store(k.key, k)
		return nil
	}
	return k.LanguageRuntime.Close()
}
