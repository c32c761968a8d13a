package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/examples/server/stores"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/rest"
)

// settings are what all nodes of a system have in common.
type settings struct {
	Store, Counters   string
	Project, Instance string
	Token             string
}

// serve runs a node until the context ends: a control plane and a gateway, each
// on a port of its own. Nothing ties it to other nodes but the database and the
// counters.
func serve(ctx context.Context, s settings, out io.Writer) (err error) {
	store, err := stores.Open(ctx, s.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	counters, err := stores.Counters(s.Counters)
	if err != nil {
		return err
	}
	defer counters.Close()

	users := iam.NewStatic()
	users.AddToken(s.Token, iam.Principal{UserID: "operator", UserName: "operator", DomainID: "operator", DomainName: "operator", Access: iam.Full})
	sys, err := roma.New(store, roma.Config{Authenticator: users})
	if err != nil {
		return err
	}
	defer sys.Close()
	if err := sys.AddInstance(ctx, s.Project, s.Instance); err != nil {
		return err
	}
	control, err := rest.New(sys, rest.Options{})
	if err != nil {
		return err
	}
	gate, err := gateway.New(sys, gateway.Config{Project: s.Project, Instance: s.Instance, Counters: counters})
	if err != nil {
		return err
	}
	defer gate.Close()

	var servers []*http.Server
	ended := make(chan error, 2)
	for _, h := range []http.Handler{control, gate} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, server)
		go func() { ended <- server.Serve(l) }()
		fmt.Fprintf(out, "http://%s\n", l.Addr())
	}
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	for _, server := range servers {
		err = cmp.Or(err, server.Close())
	}
	return err
}
