// Command server serves what the emulator serves, on a store that lasts:
//
//	go run . -store bolt:gatehouse.db
//	go run . -store postgres://user:password@host/db -counters redis://host:6379
//
// It is also what to copy for running a system for real: the flags, the opening
// of a store, and a clean end. Its credentials are flags with well-known
// defaults, and it speaks plain HTTP; both are for loopback only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/gatehouse-go/gatehouse/examples/server/stores"
	"github.com/gatehouse-go/gatehouse/internal/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	options := emulator.Flags(flags)
	name := flags.String("store", "memory", "where everything is kept: "+stores.Names)
	counters := flags.String("counters", "", "where the gateway's limits are counted with other gateways, redis://...; in the process when absent")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	options.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))

	store, err := stores.Open(ctx, *name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	shared, err := stores.Counters(*counters)
	if err != nil {
		return err
	}
	if shared != nil {
		defer shared.Close()
		options.ROMA.Counters = shared
	}
	return emulator.Serve(ctx, store, options, out)
}
