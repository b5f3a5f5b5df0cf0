// Command relay forwards TCP connections to the cluster's network namespace. It
// is a real listener, so that another program that wants the same port is told.
//
// Usage: relay LISTEN=TARGET [LISTEN=TARGET ...], each an address host:port.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/inetaf/tcpproxy"
)

func main() {
	var proxy tcpproxy.Proxy
	for _, route := range os.Args[1:] {
		listen, target, found := strings.Cut(route, "=")
		if !found {
			fmt.Fprintf(os.Stderr, "relay: %q is not LISTEN=TARGET, as 127.0.0.1:80=10.0.0.2:80\n", route)
			os.Exit(2)
		}
		proxy.AddRoute(listen, tcpproxy.To(target))
	}
	if err := proxy.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}
