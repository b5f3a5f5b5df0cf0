package main

import (
	"os"
	"runtime/debug"
	"strconv"
)

// garbage is by how many percent the heap may grow before what nobody needs is collected. This process ends when the
// command does, and spent a fifth of its time on it with Go's 100.
const garbage = 400

// Also of the plugins, which end with the command. What the user says about it holds.
func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
		_ = os.Setenv("GOGC", strconv.Itoa(garbage))
	}
}
