// Package emulator assembles the surfaces of all systems into one program: the
// vendors' APIs on localhost, with a clock that tests can turn. It is given the
// store, so the same program runs in memory or on a durable store.
//
//	e, err := emulator.New(ctx, memory.New(memory.Config{}), emulator.Defaults())
//	...
//	http.ListenAndServe("127.0.0.1:8080", e.Surfaces())
//
// What belongs to no vendor's API, and a test needs, is under /_emulator/.
package emulator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/gatehouse-go/gatehouse/agora"
	agorarest "github.com/gatehouse-go/gatehouse/agora/rest"
	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/thinkingdata"
)

// Config is the state that the emulator starts in, and resets to. [Defaults]
// has the values of the flags.
type Config struct {
	Agora agora.Credentials
	ROMA  ROMA
	TA    TA
	// Limits enforces the vendors' own limits on calls of their APIs.
	Limits bool
	// Logger is told what goes wrong inside. Nil is silent.
	Logger *slog.Logger
}

// ROMA is the one instance of ROMA Connect that exists at start, and who may
// call its API.
type ROMA struct {
	Token                string // X-Auth-Token
	AccessKey, SecretKey string // request signing
	Project, Instance    string
	// Counters is where the gateway counts its limits with other gateways. Nil
	// counts in this process. They are the caller's, and no reset empties them.
	Counters storage.Counters
}

// TA is who may call ThinkingData's API.
type TA struct {
	CorporateToken string
	ProjectToken   string // PROJECT:TOKEN
}

// Defaults is the Config when no flag is given.
func Defaults() Config {
	return Config{
		Agora: agora.Credentials{CustomerID: "demo", Secret: "demo"},
		ROMA: ROMA{
			Token: "demo-token", AccessKey: "demo-ak", SecretKey: "demo-sk",
			Project:  "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
			Instance: "11111111-2222-4333-8444-555555555555",
		},
		TA: TA{CorporateToken: "corporate-demo", ProjectToken: "1:project-demo"},
	}
}

// Emulator is all systems on one store, behind one handler. Safe for concurrent
// use.
type Emulator struct {
	config Config
	store  storage.Store
	clock  clock

	// mu is held for reading by every request and for writing by a reset, which
	// replaces the systems.
	mu      sync.RWMutex
	systems *systems
}

// systems is what a reset replaces.
type systems struct {
	agora        *agora.System
	thinkingdata *thinkingdata.System
	milesight    *milesight.System
	roma         *roma.System
	gateway      *gateway.Gateway
	surfaces     http.Handler
}

// New opens the systems on the store, which stays the caller's. What the store
// holds already is kept; [Emulator.Reset] empties it.
func New(ctx context.Context, store storage.Store, c Config) (*Emulator, error) {
	e := &Emulator{config: c, store: store}
	var err error
	e.systems, err = e.open(ctx)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// open opens every system and brings it to the state at start.
func (e *Emulator) open(ctx context.Context) (_ *systems, err error) {
	s := &systems{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	limits := agora.NoLimits()
	if e.config.Limits {
		limits = agora.VendorLimits()
	}
	s.agora, err = agora.New(e.store, agora.Config{Clock: e.clock.now, Limits: limits, Logger: e.config.Logger})
	if err != nil {
		return nil, err
	}
	if _, err = s.agora.AddAccount(ctx, e.config.Agora); err != nil {
		return nil, err
	}
	dashboard, err := agorarest.New(s.agora, agorarest.Options{Logger: e.config.Logger})
	if err != nil {
		return nil, err
	}
	users, err := e.openThinkingData(ctx, s)
	if err != nil {
		return nil, err
	}
	beaver, err := e.openMilesight(s)
	if err != nil {
		return nil, err
	}
	connect, err := e.openROMA(ctx, s)
	if err != nil {
		return nil, err
	}
	s.surfaces = romaOr(connect, mounts{
		{"/dev/v1", dashboard},
		{"/open", users},
		{"", beaver}, // the last: it takes every path
	})
	return s, nil
}

// mounts serves each surface below its prefix. A ServeMux would redirect paths
// that are not clean; here they are for the surfaces to answer, each in its
// vendor's envelope.
type mounts []struct {
	prefix  string
	surface http.Handler
}

func (m mounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, mount := range m {
		if rest, under := strings.CutPrefix(r.URL.Path, mount.prefix); under && (rest == "" || rest[0] == '/') {
			http.StripPrefix(mount.prefix, mount.surface).ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

func (s *systems) close() error {
	var errs []error
	if s.agora != nil {
		errs = append(errs, s.agora.Close())
	}
	if s.thinkingdata != nil {
		errs = append(errs, s.thinkingdata.Close())
	}
	if s.milesight != nil {
		errs = append(errs, s.milesight.Close())
	}
	if s.gateway != nil {
		errs = append(errs, s.gateway.Close())
	}
	if s.roma != nil {
		errs = append(errs, s.roma.Close())
	}
	return errors.Join(errs...)
}

// Surfaces is the handler of the vendors' APIs and of the emulator's own.
func (e *Emulator) Surfaces() http.Handler {
	control := e.control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isControl(r.URL.Path) {
			control.ServeHTTP(w, r)
			return
		}
		e.mu.RLock()
		defer e.mu.RUnlock()
		e.systems.surfaces.ServeHTTP(w, r)
	})
}

// Gateway is the handler of ROMA's data plane. A call that streams does not hold
// up a reset: it goes on with what was published when it began.
func (e *Emulator) Gateway() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.RLock()
		gate := e.systems.gateway
		e.mu.RUnlock()
		gate.ServeHTTP(w, r)
	})
}

// Reset empties the store, turns the clock back to the machine's and brings all
// systems to the state at start. Requests under way are finished first.
func (e *Emulator) Reset(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.systems.close()
	if err == nil {
		err = empty(ctx, e.store)
	}
	if err == nil {
		e.clock.reset()
	}
	// Whatever failed, the systems are opened again: a failed reset is an
	// answer to its caller and not the end of the emulator, not even when it
	// failed because the caller has gone.
	opened, openErr := e.open(context.WithoutCancel(ctx))
	if openErr == nil {
		e.systems = opened
	}
	return errors.Join(err, openErr)
}

// empty deletes all records, some in each transaction.
func empty(ctx context.Context, store storage.Records) error {
	const most = 10_000
	for {
		deleted := 0
		_, err := store.Update(ctx, func(w storage.Writer) error {
			deleted = 0
			for record, err := range w.Ascend("", "") {
				if err != nil {
					return err
				}
				if err := w.Delete(record.Key); err != nil {
					return err
				}
				if deleted++; deleted == most {
					break
				}
			}
			return nil
		})
		if err != nil || deleted < most {
			return err
		}
	}
}

// Close closes the systems. The store stays open.
func (e *Emulator) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.systems.close()
}
