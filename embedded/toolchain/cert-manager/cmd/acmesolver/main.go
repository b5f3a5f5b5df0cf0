// Command acmesolver answers one HTTP-01 challenge of an ACME server, as upstream's command of this name, which is in a
// module that can't be required. It takes the same flags.
package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	"github.com/cert-manager/cert-manager/pkg/logs"
)

func main() {
	challenge := &solver.HTTP01Solver{}
	flag.IntVar(&challenge.ListenPort, "listen-port", 8089, "port to listen on")
	flag.StringVar(&challenge.Domain, "domain", "", "domain that is validated")
	flag.StringVar(&challenge.Token, "token", "", "token of the challenge")
	flag.StringVar(&challenge.Key, "key", "", "answer to the challenge")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = challenge.Shutdown(ending)
	}()
	if err := challenge.Listen(logs.Log.WithName("acmesolver")); !errors.Is(err, http.ErrServerClosed) {
		logs.Log.Error(err, "can't answer the challenge")
		os.Exit(1)
	}
}
