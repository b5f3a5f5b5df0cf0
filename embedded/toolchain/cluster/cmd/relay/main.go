// Command relay forwards TCP connections to the cluster's network namespace. It
// is a real listener, so that another program that wants the same port is told.
//
// While nothing answers at a target, as when a pod is replaced, it holds new
// connections and asks again, so that clients wait a moment and aren't refused.
//
// Usage: relay [-wait DURATION] LISTEN=TARGET [LISTEN=TARGET ...], each an
// address host:port.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/inetaf/tcpproxy"
)

const (
	// Packets to a pod that goes away may get no answer at all: then the kernel would ask after 1, 3, 7 and 15 s.
	attempt  = 2 * time.Second
	minPause = 50 * time.Millisecond
	maxPause = 500 * time.Millisecond
)

func main() {
	wait := flag.Duration("wait", 30*time.Second, "how long a connection is held while its target doesn't answer")
	flag.Parse()
	var proxy tcpproxy.Proxy
	for _, route := range flag.Args() {
		listen, target, found := strings.Cut(route, "=")
		if !found {
			fmt.Fprintf(os.Stderr, "relay: %q is not LISTEN=TARGET, as 127.0.0.1:80=10.0.0.2:80\n", route)
			os.Exit(2)
		}
		proxy.AddRoute(listen, &tcpproxy.DialProxy{Addr: target, DialTimeout: *wait, DialContext: dial})
	}
	if err := proxy.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// dial connects to address, as often as it takes until ctx is done.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: attempt}
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		connection, err := dialer.DialContext(ctx, network, address)
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
