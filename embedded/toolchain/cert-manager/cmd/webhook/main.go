// Command webhook checks the objects of cert-manager's API, as upstream's command of this name, which is in a module
// that can't be required. It takes the same flags.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	config "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/validation"
	"github.com/cert-manager/cert-manager/internal/webhook"
	_ "github.com/cert-manager/cert-manager/internal/webhook/feature"
	"github.com/cert-manager/cert-manager/pkg/logs"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
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
	configuration, err := options.NewWebhookConfiguration()
	if err != nil {
		panic(err) // upstream's defaults don't fit upstream's types
	}
	result := &cobra.Command{
		Use:          "webhook",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), configuration) },
	}
	options.AddConfigFlags(result.Flags(), configuration)
	return result
}

func run(ctx context.Context, configuration *config.WebhookConfiguration) error {
	logs.InitLogs()
	defer logs.FlushLogs()
	ctrl.SetLogger(logs.Log)
	if err := logs.ValidateAndApply(&configuration.Logging); err != nil {
		return fmt.Errorf("the options of the log: %w", err)
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(configuration.FeatureGates); err != nil {
		return fmt.Errorf("the feature gates: %w", err)
	}
	if errs := validation.ValidateWebhookConfiguration(configuration, nil); len(errs) > 0 {
		return fmt.Errorf("the options: %w", errs.ToAggregate())
	}
	server, err := webhook.NewCertManagerWebhookServer(logs.Log.WithName("webhook"), *configuration)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
