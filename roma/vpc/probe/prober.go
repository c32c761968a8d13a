package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// Dialer opens connections, as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// CodeError is the failure of a probe that was answered with a status code
// that is not among the good ones.
type CodeError struct {
	Code int
	Want vpc.CodeSet
}

// Error names the code and those wanted.
func (e *CodeError) Error() string {
	return fmt.Sprintf("probe: answered %d, want %s", e.Code, e.Want)
}

// Prober asks one member at a time. It holds no connections between probes and
// is safe for concurrent use.
type Prober struct {
	check  vpc.Check
	dial   Dialer
	client *http.Client
}

// NewProber makes a prober. It completes the check and returns the error of
// [vpc.Check.Complete] for a bad one. The configuration of TLS is copied; nil
// means the system's roots and no client certificate. A nil dial means net's.
func NewProber(check vpc.Check, config *tls.Config, dial Dialer) (*Prober, error) {
	check, err := check.Complete()
	if err != nil {
		return nil, err
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	p := &Prober{check: check, dial: dial}
	if check.Protocol == vpc.TCP {
		return p, nil
	}
	if _, err := url.ParseRequestURI(check.Path); err != nil {
		return nil, &vpc.Error{Kind: vpc.ErrInvalid, Param: "path", Value: check.Path, Rule: "want a valid request path"}
	}
	if config = config.Clone(); config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if !check.ClientCertificate {
		config.Certificates, config.GetClientCertificate = nil, nil
	} else if len(config.Certificates) == 0 && config.GetClientCertificate == nil {
		return nil, &vpc.Error{Kind: vpc.ErrInvalid, Param: "enable_client_ssl", Value: "true", Rule: "want a client certificate in the configuration of TLS"}
	}
	p.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    check.Timeout,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// The document is silent on redirects; one is an answer, not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p, nil
}

// Probe asks a member and returns nil when it is well: it took a connection
// (TCP), or answered a request with a good code (HTTP, HTTPS). Else the error
// says what was wrong. It waits for the check's timeout at most.
func (p *Prober) Probe(ctx context.Context, m vpc.Member) error {
	ctx, cancel := context.WithTimeout(ctx, p.check.Timeout)
	defer cancel()
	m.Port = cmp.Or(p.check.Port, m.Port)
	err := p.ask(ctx, m.Address())
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("probe: no answer within %v: %w", p.check.Timeout, err)
	}
	return err
}

func (p *Prober) ask(ctx context.Context, address string) error {
	scheme := "http"
	switch p.check.Protocol {
	case vpc.TCP:
		conn, err := p.dial(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	case vpc.HTTPS:
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, p.check.Method, scheme+"://"+address+p.check.Path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "gatehouse-probe")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if !p.check.Codes.Contains(resp.StatusCode) {
		return &CodeError{Code: resp.StatusCode, Want: p.check.Codes}
	}
	return nil
}
