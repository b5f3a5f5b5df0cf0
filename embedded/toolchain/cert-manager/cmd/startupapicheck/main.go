// Command startupapicheck waits until cert-manager's API answers, as cert-manager's command of this name, which is in a
// module that can't be required. It takes the flags that cert-manager's chart gives it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
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
	var atMost, every time.Duration
	api := &cobra.Command{
		Use:          "api",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(cmd *cobra.Command, _ []string) error { return await(cmd.Context(), atMost, every) },
	}
	api.Flags().DurationVar(&atMost, "wait", 0, "how long to wait; by default it is asked once")
	api.Flags().DurationVar(&every, "interval", time.Second, "between two attempts")
	api.Flags().BoolP("verbose", "v", false, "taken, since the chart gives it: causes are always told")
	check := &cobra.Command{Use: "check"}
	check.AddCommand(api)
	result := &cobra.Command{Use: "startupapicheck"}
	result.AddCommand(check)
	return result
}

func await(ctx context.Context, atMost, every time.Duration) error {
	ctrl.SetLogger(logs.Log)
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// What it makes, it makes for a dry run; the chart's Role allows that in its own namespace.
	checker, err := cmapichecker.New(util.RestConfigWithUserAgent(config, "startupapicheck"), os.Getenv("POD_NAMESPACE"))
	if err != nil {
		return err
	}
	last := checker.Check(ctx)
	if atMost > 0 && last != nil {
		err = wait.PollUntilContextTimeout(ctx, every, atMost, false, func(ctx context.Context) (bool, error) {
			fmt.Fprintln(os.Stderr, "not yet:", last)
			if current := checker.Check(ctx); !errors.Is(current, context.DeadlineExceeded) {
				last = current
			}
			return last == nil, nil
		})
	}
	if last == nil {
		fmt.Println("The cert-manager API is ready")
		return nil
	}
	return errors.Join(last, err)
}
