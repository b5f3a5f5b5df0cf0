// Command activate listens on a UNIX socket and, when the first client comes, becomes the program that serves it. It
// hands the socket over as systemd does: as file descriptor 3, announced in LISTEN_FDS and LISTEN_PID
// (sd_listen_fds(3)). So a Docker Engine takes no memory until something is to be built.
//
// Usage: activate SOCKET PROGRAM [ARGUMENT ...]
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const firstListenFD = 3

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: activate SOCKET PROGRAM [ARGUMENT ...]")
		os.Exit(2)
	}
	if err := activate(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "activate:", err)
		os.Exit(1)
	}
}

func activate(path string, command []string) error {
	socket, err := listen(path)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", path, err)
	}
	// Wait for a client without accepting it: that is for the program to do.
	client := []unix.PollFd{{Fd: int32(socket), Events: unix.POLLIN}}
	for {
		if _, err = unix.Poll(client, -1); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("waiting for a client: %w", err)
	}
	if socket != firstListenFD {
		if err = unix.Dup3(socket, firstListenFD, 0); err != nil {
			return fmt.Errorf("handing over the socket: %w", err)
		}
	}
	environment := append(os.Environ(), "LISTEN_FDS=1", "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	return fmt.Errorf("starting %s: %w", command[0], syscall.Exec(command[0], command, environment))
}

func listen(path string) (int, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: path}); err != nil {
		return 0, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return 0, err
	}
	return socket, unix.Listen(socket, unix.SOMAXCONN)
}
