package upstream

import (
	"strings"
	"sync"
	"time"
)

// key is what kept connections are found by: host is the URL's, as written.
type key struct {
	tls  bool
	host string
}

// pool keeps idle connections. What was used last is used first, so that what
// is not needed grows old. It takes no goroutine: one timer, armed while there
// is something to keep, closes what has waited too long.
type pool struct {
	epoch          time.Time // zero of the durations below
	perHost, total int
	timeout        time.Duration

	mu    sync.Mutex
	idle  map[key]*stack
	n     int
	timer *time.Timer // non-nil while armed
}

// stack holds one host's connections, the last used on top.
type stack struct {
	conns  []*conn
	unused bool // had none at the last sweep
}

// now is the time since the epoch, by the monotonic clock.
func (p *pool) now() time.Duration { return time.Since(p.epoch) }

// take returns the kept connection of k that was used last, or nil.
func (p *pool) take(k key, now time.Duration) *conn {
	p.mu.Lock()
	s := p.idle[k]
	if s == nil || len(s.conns) == 0 {
		p.mu.Unlock()
		return nil
	}
	top := len(s.conns) - 1
	c := s.conns[top]
	if now-c.since > p.timeout { // and so are all below
		old := s.conns
		s.conns = nil
		p.n -= len(old)
		p.mu.Unlock()
		for _, c := range old {
			c.nc.Close()
		}
		return nil
	}
	s.conns[top] = nil
	s.conns = s.conns[:top]
	p.n--
	p.mu.Unlock()
	return c
}

// put keeps c for its next exchange, and reports whether there was room.
func (p *pool) put(c *conn, now time.Duration) bool {
	c.since = now
	c.reused = true
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.idle[c.key]
	if s == nil {
		if p.perHost < 0 {
			return false
		}
		s = new(stack)
		p.idle[key{c.key.tls, strings.Clone(c.key.host)}] = s
	}
	if len(s.conns) >= p.perHost || p.n >= p.total {
		return false
	}
	s.conns = append(s.conns, c)
	p.n++
	if p.timer == nil {
		p.timer = time.AfterFunc(p.timeout, p.sweep)
	}
	return true
}

// sweep closes what has been idle for too long and forgets hosts that had
// nothing at two sweeps.
func (p *pool) sweep() {
	var old []*conn
	now := p.now()
	p.mu.Lock()
	for k, s := range p.idle {
		fresh := 0
		for fresh < len(s.conns) && now-s.conns[fresh].since >= p.timeout {
			fresh++
		}
		old = append(old, s.conns[:fresh]...)
		p.n -= fresh
		s.conns = append([]*conn(nil), s.conns[fresh:]...)
		if len(s.conns) == 0 && s.unused {
			delete(p.idle, k)
		}
		s.unused = len(s.conns) == 0
	}
	p.timer = nil
	if len(p.idle) > 0 {
		p.timer = time.AfterFunc(max(p.timeout/2, time.Millisecond), p.sweep)
	}
	p.mu.Unlock()
	for _, c := range old {
		c.nc.Close()
	}
}

// closeAll closes every idle connection.
func (p *pool) closeAll() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.n = map[key]*stack{}, 0
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	for _, s := range idle {
		for _, c := range s.conns {
			c.nc.Close()
		}
	}
}
