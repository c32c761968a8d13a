package emulator

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// exchange is one command of the README's session with its answer.
type exchange struct{ command, answer string }

func session(t *testing.T) (all []exchange) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- A test replays this session. -->\n```console\n")
	block, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README has no session to replay")
	}
	for line := range strings.Lines(block) {
		line = strings.TrimSuffix(line, "\n")
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, exchange{command: command})
		} else {
			all[len(all)-1].answer += line
		}
	}
	return all
}

// words splits a command as a shell does that knows single quotes alone.
func words(command string) (list []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(command, -1) {
		list = append(list, m[1]+m[2])
	}
	return list
}

// curl does what the command curl would with the flags that the README uses.
func curl(t *testing.T, base string, args []string) string {
	t.Helper()
	var body io.Reader
	method, url, header, user := "GET", "", http.Header{}, ""
	for i := 0; i < len(args); i++ {
		flag := args[i]
		if !strings.HasPrefix(flag, "-") {
			url = flag
			continue
		}
		i++
		switch flag {
		case "-u":
			user = args[i]
		case "-H":
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, value)
		case "-d":
			method, body = "POST", strings.NewReader(args[i])
			if header.Get("Content-Type") == "" {
				header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
		case "-X":
			method = args[i]
		default:
			t.Fatalf("the README uses %s, which this test does not know", flag)
		}
	}
	path, ok := strings.CutPrefix(url, "http://127.0.0.1:8080")
	if !ok {
		t.Fatalf("the README calls %q, which is not the emulator", url)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if name, secret, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(name, secret)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

var (
	hexID   = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	seconds = regexp.MustCompile(`\b\d{10}\b`)
	moment  = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
)

// timeless puts words in place of what differs from run to run, and ids by the
// order in which they come.
func timeless(text string, ids map[string]string) string {
	text = moment.ReplaceAllString(seconds.ReplaceAllString(text, "SECONDS"), "TIME")
	return hexID.ReplaceAllStringFunc(text, func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("ID%d", len(ids)+1)
		}
		return ids[id]
	})
}

func TestReadmeSession(t *testing.T) {
	c := start(t, Defaults())
	exchanges := session(t)
	if len(exchanges) < 5 {
		t.Fatalf("a session of %d commands", len(exchanges))
	}
	printed, real := map[string]string{}, map[string]string{}
	actual := map[string]string{} // the id of this run for one in the README
	for _, e := range exchanges {
		args := words(e.command)
		if len(args) < 2 || args[0] != "curl" {
			t.Fatalf("%q is no curl command", e.command)
		}
		for i := range args {
			args[i] = hexID.ReplaceAllStringFunc(args[i], func(id string) string { return actual[id] })
		}
		answer := curl(t, c.base, args[1:])
		if got, want := timeless(answer, real), timeless(e.answer, printed); got != want {
			t.Errorf("$ %s\n%s\nthe README has\n%s", e.command, got, want)
		}
		old, now := hexID.FindAllString(e.answer, -1), hexID.FindAllString(answer, -1)
		for i := range min(len(old), len(now)) {
			actual[old[i]] = now[i]
		}
	}
}
