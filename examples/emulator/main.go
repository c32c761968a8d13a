// Command emulator serves the vendors' APIs on localhost, in memory, with a
// clock that tests can turn:
//
//	go run ./examples/emulator
//	curl -u demo:demo http://127.0.0.1:8080/dev/v1/projects/
//
// See -help for the flags and the README for a session with it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/gatehouse-go/gatehouse/internal/emulator"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func main() {
	options := emulator.Flags(flag.CommandLine)
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "emulator: unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	options.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	store := memory.New(memory.Config{})
	defer store.Close()
	if err := emulator.Serve(ctx, store, options, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "emulator:", err)
		os.Exit(1)
	}
}
