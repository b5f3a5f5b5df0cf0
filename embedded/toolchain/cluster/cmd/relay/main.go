// Command relay forwards TCP connections to the cluster's network namespaces. It
// is a real listener, so that another program that wants the same port is told.
//
// Of several targets, as on several nodes, each connection goes to any one, and
// to another one where that doesn't answer at once; it is left alone for a while.
//
// While nothing answers at any target, as when a pod is replaced, it holds new
// connections and asks again, so that clients wait a moment and aren't refused.
//
// Usage: relay [-wait DURATION] [-hosts FILE] LISTEN=TARGET [LISTEN=TARGET ...],
// each an address host:port. A target without host, as :80, is that port of
// each host in the file, one a line. SIGHUP has the file read again.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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
	// How long a target that didn't answer within it is asked last.
	leftAlone = 10 * time.Second
)

func main() {
	wait := flag.Duration("wait", 30*time.Second, "how long a connection is held while its target doesn't answer")
	file := flag.String("hosts", "", "file with the hosts of targets that name none")
	flag.Parse()
	var all hosts
	if *file != "" {
		if err := all.read(*file); err != nil {
			fmt.Fprintln(os.Stderr, "relay:", err)
			os.Exit(1)
		}
		go all.follow(*file)
	}
	var proxy tcpproxy.Proxy
	for _, route := range flag.Args() {
		listen, target, found := strings.Cut(route, "=")
		if !found {
			fmt.Fprintf(os.Stderr, "relay: %q is not LISTEN=TARGET, as 127.0.0.1:80=10.0.0.2:80\n", route)
			os.Exit(2)
		}
		to := &choice{target: target, hosts: &all, silent: map[string]time.Time{}}
		proxy.AddRoute(listen, &tcpproxy.DialProxy{Addr: target, DialTimeout: *wait, DialContext: to.dial})
	}
	if err := proxy.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// hosts are what the file has.
type hosts struct{ atomic.Pointer[[]string] }

func (h *hosts) read(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	found := strings.Fields(string(text))
	if len(found) == 0 {
		return fmt.Errorf("%s names no host", file)
	}
	h.Store(&found)
	return nil
}

func (h *hosts) follow(file string) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	for range asked {
		if err := h.read(file); err != nil {
			fmt.Fprintln(os.Stderr, "relay: the hosts stay as they are:", err)
		}
	}
}

// choice is among targets that are equally good.
type choice struct {
	target string
	hosts  *hosts
	sync.Mutex
	silent map[string]time.Time // until when targets are asked last
}

// targets are those that there are now, in any order, those that didn't answer lately last.
func (c *choice) targets() []string {
	if !strings.HasPrefix(c.target, ":") {
		return []string{c.target}
	}
	var answering, silent []string
	all := slices.Clone(*c.hosts.Load())
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	c.Lock()
	defer c.Unlock()
	for _, host := range all {
		if target := host + c.target; time.Now().Before(c.silent[target]) {
			silent = append(silent, target)
		} else {
			answering = append(answering, target)
		}
	}
	return append(answering, silent...)
}

// note keeps which target answered, and which others were asked before and didn't.
func (c *choice) note(answered string, asked []string) {
	c.Lock()
	defer c.Unlock()
	for _, target := range asked {
		c.silent[target] = time.Now().Add(leftAlone)
	}
	delete(c.silent, answered)
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
	target     string
	connection net.Conn
	err        error
}

// first asks the targets in turn, the next one as soon as one refuses, or when it has had its head start, and returns
// the first connection.
func (c *choice) first(ctx context.Context, network string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	targets := c.targets()
	answers, asked, open := make(chan answer, len(targets)), 0, 0
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
	dialer := net.Dialer{Timeout: attempt}
	ask := func() {
		if asked == len(targets) {
			return
		}
		target := targets[asked]
		asked, open = asked+1, open+1
		go func() {
			connection, err := dialer.DialContext(ctx, network, target)
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
				c.note(came.target, targets[:asked])
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
