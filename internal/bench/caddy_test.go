//go:build !nocaddy

package bench

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	caddyproxy "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func init() { newCaddy = caddyProxy }

// caddyProxy is Caddy's reverse proxy in a standard server, without what Caddy's
// own server does besides. Its transport keeps as many connections idle as it
// is told, as that of the tuned ReverseProxy.
func caddyProxy(members []string) (http.Handler, error) {
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}, Logging: &caddy.Logging{
		Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "ERROR"}}},
	}})
	if err != nil {
		return nil, err
	}
	proxy := &caddyproxy.Handler{
		Transport: &caddyproxy.HTTPTransport{
			Compression: new(false), KeepAlive: &caddyproxy.KeepAlive{MaxIdleConnsPerHost: 1024},
		},
		LoadBalancing: &caddyproxy.LoadBalancing{SelectionPolicy: &caddyproxy.RoundRobinSelection{}},
	}
	if err := proxy.Transport.(*caddyproxy.HTTPTransport).Provision(ctx); err != nil {
		return nil, err
	}
	for _, m := range members {
		proxy.Upstreams = append(proxy.Upstreams, &caddyproxy.Upstream{Dial: m})
	}
	if err := proxy.Provision(ctx); err != nil {
		return nil, err
	}
	server, end := &caddyhttp.Server{}, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, server)
		if err := proxy.ServeHTTP(w, r, end); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}), nil
}
