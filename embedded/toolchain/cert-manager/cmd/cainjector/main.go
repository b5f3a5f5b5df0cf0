// Command cainjector tells the API server which authorities to trust, as cert-manager's command of this name, which is
// in a module that can't be required. It takes the flags that cert-manager's chart gives it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	cliflag "k8s.io/component-base/cli/flag"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/validation"
	_ "github.com/cert-manager/cert-manager/internal/cainjector/feature"
	v1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	v1alpha1 "github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	certmanager "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	configuration := defaults()
	result := &cobra.Command{
		Use:          "cainjector",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logs.InitLogs()
			defer logs.FlushLogs()
			if err := check(configuration); err != nil {
				return err
			}
			return run(cmd.Context(), configuration)
		},
	}
	addFlags(result.Flags(), configuration)
	return result
}

// defaults returns upstream's.
func defaults() *config.CAInjectorConfiguration {
	types, _, err := scheme.NewSchemeAndCodecs()
	utilruntime.Must(err)
	versioned, internal := &v1alpha1.CAInjectorConfiguration{}, &config.CAInjectorConfiguration{}
	types.Default(versioned)
	utilruntime.Must(types.Convert(versioned, internal, nil))
	return internal
}

// addFlags adds the flags that the chart may give.
func addFlags(flags *pflag.FlagSet, c *config.CAInjectorConfiguration) {
	flags.StringVar(&c.Namespace, "namespace", c.Namespace, "the only namespace to look at")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "of the metrics; 0 for none")
	flags.Var(cliflag.NewMapStringBool(&c.FeatureGates), "feature-gates",
		"name=true or name=false, of:\n"+strings.Join(utilfeature.DefaultFeatureGate.KnownFeatures(), "\n"))
	election := &c.LeaderElectionConfig
	flags.BoolVar(&election.Enabled, "leader-elect", election.Enabled, "whether only one of several is at work")
	flags.StringVar(&election.Namespace, "leader-election-namespace", election.Namespace, "namespace of the Lease")
	flags.DurationVar(&election.LeaseDuration, "leader-election-lease-duration", election.LeaseDuration,
		"after which another may become the leader")
	flags.DurationVar(&election.RenewDeadline, "leader-election-renew-deadline", election.RenewDeadline,
		"within which the leader renews the Lease")
	flags.DurationVar(&election.RetryPeriod, "leader-election-retry-period", election.RetryPeriod, "between two attempts")
	logs.AddFlags(&c.Logging, flags)
}

func check(configuration *config.CAInjectorConfiguration) error {
	if err := logs.ValidateAndApply(&configuration.Logging); err != nil {
		return fmt.Errorf("the options of the log: %w", err)
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(configuration.FeatureGates); err != nil {
		return fmt.Errorf("the feature gates: %w", err)
	}
	if errs := validation.ValidateCAInjectorConfiguration(configuration, nil); len(errs) > 0 {
		return fmt.Errorf("the options: %w", errs.ToAggregate())
	}
	return nil
}

// awaitDefinitions waits for the kinds of cert-manager: the chart's objects are made in no particular order.
func awaitDefinitions(ctx context.Context, api *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(api)
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) {
		_, err := client.ServerResourcesForGroupVersion(v1.SchemeGroupVersion.String())
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// run injects certificates until ctx ends.
func run(ctx context.Context, configuration *config.CAInjectorConfiguration) error {
	ctrl.SetLogger(logs.Log)
	api, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kubernetes.AddToScheme, certmanager.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme,
	} {
		utilruntime.Must(add(types))
	}
	election := &configuration.LeaderElectionConfig
	options := ctrl.Options{
		Scheme: types,
		// Of Secrets only the metadata is watched: the cluster's keys needn't be in this memory.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Cache:                         cache.Options{ReaderFailOnMissingInformer: true},
		Metrics:                       server.Options{BindAddress: configuration.MetricsListenAddress},
		LeaderElection:                election.Enabled,
		LeaderElectionNamespace:       election.Namespace,
		LeaderElectionID:              "cert-manager-cainjector-leader-election", // the chart's Role lets it have no other
		LeaderElectionResourceLock:    resourcelock.LeasesResourceLock,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &election.LeaseDuration,
		RenewDeadline:                 &election.RenewDeadline,
		RetryPeriod:                   &election.RetryPeriod,
	}
	if configuration.Namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{configuration.Namespace: {}}
	}
	manager, err := ctrl.NewManager(util.RestConfigWithUserAgent(api, "cainjector"), options)
	if err != nil {
		return err
	}
	if err := awaitDefinitions(ctx, api); err != nil {
		return err
	}
	targets := configuration.EnableInjectableConfig
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		Namespace:                    configuration.Namespace,
		IgnoreNamespaces:             configuration.IgnoreNamespaces,
		EnableCertificatesDataSource: configuration.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   targets.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: targets.ValidatingWebhookConfigurations,
			cainjector.APIServiceName:                     targets.APIServices,
			cainjector.CustomResourceDefinitionName:       targets.CustomResourceDefinitions,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}
