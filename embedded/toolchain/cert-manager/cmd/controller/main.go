// Command controller issues certificates, as cert-manager's command of this name, which is in a module that can't be
// required. It takes the flags that cert-manager's chart gives it. It has all issuers but Venafi, whose client can't be
// had, and none of the controllers that are off by default (Gateways, CertificateSigningRequests).
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/metrics"
	"github.com/cert-manager/cert-manager/pkg/util"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"

	// Each of these makes itself known to controller.Known.
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"

	// And these to the controllers of issuers.
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
)

// How long requests that are being answered may take when the process ends.
const grace = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	c := defaults()
	result := &cobra.Command{
		Use:          "controller",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logs.InitLogs()
			defer logs.FlushLogs()
			if err := logs.ValidateAndApply(c.log); err != nil {
				return fmt.Errorf("the options of the log: %w", err)
			}
			if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(c.gates); err != nil {
				return fmt.Errorf("the feature gates: %w", err)
			}
			return run(cmd.Context(), c)
		},
	}
	c.addFlags(result.Flags())
	return result
}

// run serves metrics and health, and runs the controllers while this process is the leader; until ctx ends.
func run(ctx context.Context, c *configuration) error {
	factory, err := controller.NewContextFactory(ctx, c.contextOptions())
	if err != nil {
		return err
	}
	base, err := factory.Build()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if err := serveMetrics(ctx, group, base.Metrics, c.metrics); err != nil {
		return err
	}
	health := healthz.NewServer(c.election.healthzTimeout)
	listener, err := net.Listen("tcp", c.health)
	if err != nil {
		return err
	}
	group.Go(func() error { return health.Start(ctx, listener) })
	group.Go(func() error {
		lead := func(ctx context.Context) error { return runControllers(ctx, c, factory, base) }
		if !c.election.isOn {
			return lead(ctx)
		}
		return whileLeading(ctx, c.election, base.RESTConfig, health, lead)
	})
	return group.Wait()
}

func serveMetrics(ctx context.Context, group *errgroup.Group, of *metrics.Metrics, address string) error {
	if address == "0" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := of.NewServer(listener)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return server.Shutdown(ending)
	})
	return nil
}

// whileLeading calls lead when this process becomes the leader. It returns when ctx ends, lead ends or the lease is lost.
func whileLeading(
	ctx context.Context, terms election, api *rest.Config, health *healthz.Server, lead func(context.Context) error,
) error {
	client, err := kubernetes.NewForConfig(util.RestConfigWithUserAgent(api, "leader-election"))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	lock, err := resourcelock.New(
		resourcelock.LeasesResourceLock,
		terms.namespace,
		"cert-manager-controller", // the only one that the chart's Role lets it have
		client.CoreV1(),
		client.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	)
	if err != nil {
		return err
	}
	electing, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   terms.leaseDuration,
		RenewDeadline:   terms.renewDeadline,
		RetryPeriod:     terms.retryPeriod,
		ReleaseOnCancel: true,
		WatchDog:        health.LeaderHealthzAdaptor,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				ended <- lead(ctx)
				end()
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(electing)
	if ctx.Err() != nil {
		return nil // asked to end
	}
	select {
	case err := <-ended:
		if err != nil {
			return err
		}
	default:
	}
	// Another process may be the leader now.
	return errors.New("the lease of the leader was lost")
}

// runControllers runs the controllers until ctx ends or one of them fails.
func runControllers(
	ctx context.Context, c *configuration, factory *controller.ContextFactory, base *controller.Context,
) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, construct := range controller.Known() {
		if !c.runs(name) || (c.context.Namespace != "" && name == clusterissuers.ControllerName) {
			continue
		}
		each, err := construct(factory)
		if err != nil {
			return fmt.Errorf("the controller %s: %w", name, err)
		}
		group.Go(func() error {
			if err := each.Run(c.workers, ctx); err != nil {
				return fmt.Errorf("the controller %s: %w", name, err)
			}
			return nil
		})
	}
	// Only now is known what they watch.
	base.SharedInformerFactory.Start(ctx.Done())
	base.KubeSharedInformerFactory.Start(ctx.Done())
	base.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}
