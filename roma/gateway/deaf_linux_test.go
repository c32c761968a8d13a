package gateway

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// deafen puts a listener in a member's place whose queue is full and that takes
// nobody from it: the kernel drops what comes, as a machine does that is gone.
func (m *members) deafen(i int) {
	m.Helper()
	m.kill(i)
	l, err := net.Listen("tcp", m.addresses()[i])
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		m.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }); err != nil {
		m.Fatal(err)
	}
	if err != nil {
		m.Fatal(err)
	}
	for range 100 {
		conn, err := net.DialTimeout("tcp", m.addresses()[i], 50*time.Millisecond)
		if err != nil {
			return
		}
		m.Cleanup(func() { conn.Close() })
	}
	m.Fatal("the queue does not fill up")
}

// TestDeafMember holds that a call goes on to the next member also from one that
// swallows packets, within the API's time, and that the next calls do not wait
// for it again.
func TestDeafMember(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	m := newMembers(t, 3, named)
	s.api("GET", "/x", "", through(s.channel(m, vpc.RoundRobin)), func(in *apic.APISpec) { in.HTTP.Timeout = 20_000 })
	m.deafen(0)
	start := time.Now()
	if got := s.get("/x"); got.StatusCode != 200 || got.body != "b" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if took := time.Since(start); took < dialTimeout || took > 2*dialTimeout {
		t.Errorf("answered after %s", took)
	}
	start = time.Now()
	for range 3 {
		if got := s.get("/x"); got.StatusCode != 200 || got.body == "a" {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
	if took := time.Since(start); took > dialTimeout {
		t.Errorf("three more answered after %s", took)
	}
}

// TestAllDeaf holds that the health checks find members that swallow packets, and
// that callers wait for none of them from then on; before, for no longer than the
// API's timeout.
func TestAllDeaf(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{hasten: hasten})
	m := newMembers(t, 2, named)
	ch := s.channel(m, vpc.RoundRobin)
	s.api("GET", "/x", "", through(ch), func(in *apic.APISpec) { in.HTTP.Timeout = 300 })
	m.deafen(0)
	m.deafen(1)
	status := 0
	for range 2000 {
		got := s.get("/x")
		if got.StatusCode != 504 && got.StatusCode != 502 {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
		now, err := s.ctl.Channel(s.ctx, ch.ID)
		s.ok(err)
		if status = now.Status; status == 2 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if status != 2 {
		t.Fatal("the channel did not come to status 2")
	}
	start := time.Now()
	s.refused("known to be deaf", s.get("/x"), 502, "APIC.0202")
	if took := time.Since(start); took > 200*time.Millisecond {
		t.Errorf("refused after %s", took)
	}
}
