// Command relay forwards TCP connections to the cluster's network namespaces. It
// is a real listener, so that another program that wants the same port is told.
//
// Of several targets, as on several nodes, a connection goes to the one that
// answered last, and to another one where that is gone.
//
// While nothing answers at any target, as when a pod is replaced, it holds new
// connections and asks again, so that clients wait a moment and aren't refused.
//
// Usage: relay [-wait DURATION] LISTEN=TARGET[,TARGET ...] [LISTEN=TARGET ...],
// each an address host:port.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/inetaf/tcpproxy"
)

const (
	// Packets to a pod that goes away may get no answer at all: then the kernel would ask after 1, 3, 7 and 15 s.
	attempt  = 2 * time.Second
	minPause = 50 * time.Millisecond
	maxPause = 500 * time.Millisecond
	// How long one target is asked alone: the Connection Attempt Delay of RFC 8305.
	headStart = 250 * time.Millisecond
)

func main() {
	wait := flag.Duration("wait", 30*time.Second, "how long a connection is held while its target doesn't answer")
	flag.Parse()
	var proxy tcpproxy.Proxy
	for _, route := range flag.Args() {
		listen, targets, found := strings.Cut(route, "=")
		if !found {
			fmt.Fprintf(os.Stderr, "relay: %q is not LISTEN=TARGET, as 127.0.0.1:80=10.0.0.2:80\n", route)
			os.Exit(2)
		}
		to := &choice{targets: strings.Split(targets, ",")}
		proxy.AddRoute(listen, &tcpproxy.DialProxy{Addr: targets, DialTimeout: *wait, DialContext: to.dial})
	}
	if err := proxy.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// choice is among targets that are equally good.
type choice struct {
	targets []string
	last    atomic.Int32 // the one that answered last
}

// dial connects to one of the targets, as often as it takes until ctx is done.
func (c *choice) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		connection, err := c.first(ctx, network)
		if err == nil {
			return connection, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

type answer struct {
	target     int
	connection net.Conn
	err        error
}

// first asks the targets in turn, the next one as soon as one refuses, or when it has had its head start, and returns
// the first connection.
func (c *choice) first(ctx context.Context, network string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	answers, asked, open := make(chan answer, len(c.targets)), 0, 0
	defer func() {
		cancel()
		go func(open int) { // those that answer too late
			for ; open > 0; open-- {
				if late := <-answers; late.err == nil {
					late.connection.Close()
				}
			}
		}(open)
	}()
	dialer, begin := net.Dialer{Timeout: attempt}, int(c.last.Load())
	ask := func() {
		if asked == len(c.targets) {
			return
		}
		target := (begin + asked) % len(c.targets)
		asked, open = asked+1, open+1
		go func() {
			connection, err := dialer.DialContext(ctx, network, c.targets[target])
			answers <- answer{target, connection, err}
		}()
	}
	next := time.NewTicker(headStart)
	defer next.Stop()
	ask()
	for {
		select {
		case came := <-answers:
			open--
			if came.err == nil {
				c.last.Store(int32(came.target))
				return came.connection, nil
			}
			ask()
			if open == 0 {
				return nil, came.err
			}
		case <-next.C:
			ask()
		}
	}
}
