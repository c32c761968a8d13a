package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBodyCloses(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name, answer string
		read         int  // bytes before Close
		kept         bool // the connection
	}{
		{"sized, unread, small", ok, 0, true}, // it had come whole
		{"sized, unread, large", head + "Content-Length: 1048576\r\n\r\n" + big, 0, false},
		{"sized, partly read", head + "Content-Length: 1048576\r\n\r\n" + big, 1000, false},
		{"sized, read", head + "Content-Length: 1048576\r\n\r\n" + big, 1 << 20, true},
		{"chunked, unread", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, false},
		{"chunked, read", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 5, true},
	} {
		lean := newLean(t, Config{})
		res, err := lean.RoundTrip(newRequest(t, "GET", backend(t, replying(c.answer, false)), nil))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		buf := make([]byte, c.read)
		if n, err := io.ReadFull(res.Body, buf); err != nil {
			t.Errorf("%s: read %d: %v", c.name, n, err)
		}
		if err := errors.Join(res.Body.Close(), res.Body.Close()); err != nil {
			t.Errorf("%s: Close: %v", c.name, err)
		}
		if n, err := res.Body.Read(make([]byte, 1)); n != 0 || err != http.ErrBodyReadAfterClose {
			t.Errorf("%s: Read after Close: %d, %v", c.name, n, err)
		}
		if kept := lean.idle() == 1; kept != c.kept {
			t.Errorf("%s: kept %v, want %v", c.name, kept, c.kept)
		}
	}
}

func TestReadAfterTheEnd(t *testing.T) {
	for _, answer := range []string{
		ok,
		head + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000),
		head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		res, err := newLean(t, Config{}).RoundTrip(newRequest(t, "GET", backend(t, replying(answer, false)), nil))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := res.Body.Read(nil); n != 0 || err != nil {
			t.Errorf("empty Read: %d, %v", n, err)
		}
		io.Copy(io.Discard, res.Body)
		for range 2 {
			if n, err := res.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("Read after the end: %d, %v", n, err)
			}
			if n, err := res.Body.(io.WriterTo).WriteTo(io.Discard); n != 0 || err != nil {
				t.Errorf("WriteTo after the end: %d, %v", n, err)
			}
		}
	}
}

// TestCloseWakesTheReader: Close from another goroutine ends a Read that waits,
// and neither touches what is another exchange's by then.
func TestCloseWakesTheReader(t *testing.T) {
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		readRequest(r)
		io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello")
		readRequest(r)
	})
	for _, how := range []string{"Read", "WriteTo"} {
		lean := newLean(t, Config{})
		res, err := lean.RoundTrip(newRequest(t, "GET", url, nil))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			if how == "Read" {
				buf := make([]byte, 20)
				res.Body.Read(buf)
				_, err := res.Body.Read(buf)
				done <- err
				return
			}
			_, err := res.Body.(io.WriterTo).WriteTo(io.Discard)
			done <- err
		}()
		time.Sleep(20 * time.Millisecond)
		if _, err := res.Body.Read(make([]byte, 1)); err != errConcurrentRead {
			t.Errorf("%s: a second Read meanwhile: %v", how, err)
		}
		res.Body.Close()
		select {
		case err := <-done:
			if err == nil || err == io.EOF {
				t.Errorf("%s ended with %v", how, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s was not woken", how)
		}
		if _, err := res.Body.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
			t.Errorf("%s: Read after Close: %v", how, err)
		}
		if n := lean.idle(); n != 0 {
			t.Errorf("%s: %d connections kept", how, n)
		}
	}
}

// TestCloseRacesTheEnd: whoever wins, the connection is kept once or closed,
// and exchanges after it are whole.
func TestCloseRacesTheEnd(t *testing.T) {
	answer := strings.Repeat("0123456789", 5000)
	lean := newLean(t, Config{})
	url := backend(t, replying(head+"Content-Length: 50000\r\n\r\n"+answer, false))
	for range 300 {
		res, err := lean.RoundTrip(newRequest(t, "GET", url, nil))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan bool)
		go func() { res.Body.Close(); close(done) }()
		body, err := io.ReadAll(res.Body)
		if string(body) != answer[:len(body)] || err == nil && len(body) != len(answer) {
			t.Fatalf("%d bytes, %v", len(body), err)
		}
		<-done
	}
	if n := lean.idle(); n > 1 {
		t.Errorf("%d connections kept after exchanges one by one", n)
	}
}

type shortWriter struct{ n int }

func (w *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.n)
	w.n -= n
	if n < len(p) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func TestWriteTo(t *testing.T) {
	big := strings.Repeat("0123456789", 20000)
	for _, answer := range []string{
		head + "Content-Length: 200000\r\n\r\n" + big,
		head + "Transfer-Encoding: chunked\r\n\r\n30d40\r\n" + big + "\r\n0\r\n\r\n",
	} {
		lean := newLean(t, Config{})
		url := backend(t, replying(answer, false))
		for _, room := range []int{1 << 30, 100} {
			res, err := lean.RoundTrip(newRequest(t, "GET", url, nil))
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			n, err := io.Copy(io.MultiWriter(&got, &shortWriter{room}), res.Body)
			if room < len(big) {
				if err != io.ErrClosedPipe {
					t.Errorf("a writer's error: %v", err)
				}
				if lean.idle() != 0 {
					t.Error("kept a connection with the rest of a body on it")
				}
				continue
			}
			if n != int64(len(big)) || err != nil || got.String() != big {
				t.Errorf("%d bytes, %v", n, err)
			}
			if lean.idle() != 1 {
				t.Error("connection not kept")
			}
		}
	}
}
