package emulator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Options are the emulator's flags.
type Options struct {
	Config
	Listen  string // address of the surfaces
	Gateway string // address of ROMA's data plane
}

// Flags declares the emulator's flags in fs and returns what they set once fs
// has been parsed.
func Flags(fs *flag.FlagSet) *Options {
	o := &Options{Config: Defaults()}
	fs.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of the vendors' APIs")
	fs.StringVar(&o.Gateway, "gateway", "127.0.0.1:8081", "address of ROMA's gateway")
	fs.StringVar(&o.Agora.CustomerID, "agora-key", o.Agora.CustomerID, "Agora customer id")
	fs.StringVar(&o.Agora.Secret, "agora-secret", o.Agora.Secret, "Agora customer secret")
	fs.StringVar(&o.ROMA.Token, "roma-token", o.ROMA.Token, "ROMA X-Auth-Token")
	fs.StringVar(&o.ROMA.AccessKey, "roma-ak", o.ROMA.AccessKey, "ROMA access key of request signing")
	fs.StringVar(&o.ROMA.SecretKey, "roma-sk", o.ROMA.SecretKey, "ROMA secret key of request signing")
	fs.StringVar(&o.ROMA.Project, "roma-project", o.ROMA.Project, "ROMA project id")
	fs.StringVar(&o.ROMA.Instance, "roma-instance", o.ROMA.Instance, "ROMA instance id")
	fs.StringVar(&o.TA.CorporateToken, "ta-corporate-token", o.TA.CorporateToken, "ThinkingData corporate token")
	fs.StringVar(&o.TA.ProjectToken, "ta-project-token", o.TA.ProjectToken, "ThinkingData project token, PROJECT:TOKEN")
	fs.BoolVar(&o.Limits, "limits", false, "enforce the vendors' own limits on API calls")
	return o
}

// userinfo is what curl is to sign in with. A secret of the user's own is not
// printed.
func (o *Options) userinfo() string {
	if d := Defaults().Agora; o.Agora == d {
		return d.CustomerID + ":" + d.Secret
	}
	return o.Agora.CustomerID + ":SECRET"
}

// readTime is how long a request of an API may take to arrive.
const readTime = 30 * time.Second

// shutdownTime is how long requests under way may take after the end was asked
// for.
const shutdownTime = 5 * time.Second

// Serve runs the emulator on the store until the context ends, and then ends
// what runs cleanly. It tells on out where it listens; the line with "ready" is
// printed once everything does.
func Serve(ctx context.Context, store storage.Store, o *Options, out io.Writer) (err error) {
	e, err := New(ctx, store, o.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()

	surfaces, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	defer surfaces.Close()
	gateway, err := net.Listen("tcp", o.Gateway)
	if err != nil {
		return err
	}
	defer gateway.Close()

	servers := []*http.Server{newServer(e.Surfaces()), newServer(e.Gateway())}
	// A client that stalls in the middle of its body must not hold up a reset,
	// which waits for requests under way. The gateway's may stream.
	servers[0].ReadTimeout = readTime
	ended := make(chan error, len(servers))
	go func() { ended <- servers[0].Serve(surfaces) }()
	go func() { ended <- servers[1].Serve(gateway) }()

	base := "http://" + surfaces.Addr().String()
	fmt.Fprintf(out, "Agora         %s/dev/v1\n", base)
	fmt.Fprintf(out, "ROMA          %s/v2/%s/instances/%s\n", base, o.ROMA.Project, o.ROMA.Instance)
	fmt.Fprintf(out, "ROMA gateway  http://%s\n", gateway.Addr())
	fmt.Fprintf(out, "ThinkingData  %s/open\n", base)
	fmt.Fprintf(out, "Milesight     %s\n", base)
	fmt.Fprintf(out, "clock, reset  %s/_emulator/\n", base)
	fmt.Fprintf(out, "try           curl -u '%s' %s/dev/v1/projects/\n", o.userinfo(), base)
	fmt.Fprintf(out, "ready\n")

	running := len(servers)
	select {
	case <-ctx.Done():
	case err = <-ended: // one alone is of no use
		running--
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(grace) != nil {
			s.Close()
		}
	}
	for range running {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
}
