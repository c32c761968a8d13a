package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A process is the server as a user starts it.
type process struct {
	*exec.Cmd
	surfaces, gateway string // base URLs
	errors            bytes.Buffer
}

func start(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, append([]string{"-listen", "127.0.0.1:0", "-gateway", "127.0.0.1:0"}, args...)...)}
	p.Stderr = &p.errors
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		_, address, _ := strings.Cut(line, "http://")
		switch {
		case strings.HasPrefix(line, "Milesight"):
			p.surfaces = "http://" + address
		case strings.HasPrefix(line, "ROMA gateway"):
			p.gateway = "http://" + address
		case line == "ready":
			go io.Copy(io.Discard, out)
			return p
		}
	}
	p.Wait()
	t.Fatalf("the server ended before it was ready: %s", &p.errors)
	return nil
}

// call makes a request and returns the answer's status and body.
func call(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Auth-Token", "demo-token")
	r.SetBasicAuth("demo", "demo")
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// made makes something and returns the named field of the answer.
func made(t *testing.T, url, body, field string) string {
	t.Helper()
	status, text := call(t, "POST", url, body)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status/100 != 2 {
		t.Fatalf("POST %s answers %d %s", url, status, text)
	}
	value, _ := answer[field].(string)
	return value
}

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// Killed in the middle of its work and started again on the same store, the
// server answers as before: every surface, and what was published.
func TestKilledServerAnswersAsBefore(t *testing.T) {
	program := build(t)
	stores := map[string]string{"bolt": "bolt:" + filepath.Join(t.TempDir(), "gatehouse.db")}
	switch dsn := os.Getenv("GATEHOUSE_TEST_POSTGRES"); {
	case dsn != "":
		stores["postgres"] = dsn
	case os.Getenv("GATEHOUSE_TEST_REQUIRED") != "":
		t.Error("GATEHOUSE_TEST_POSTGRES names no server")
	default:
		t.Log("GATEHOUSE_TEST_POSTGRES names no server: without PostgreSQL")
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			args := []string{"-store", store}
			if redis := os.Getenv("GATEHOUSE_TEST_REDIS"); redis != "" {
				args = append(args, "-counters", "redis://"+redis)
			}
			p := start(t, program, args...)
			// The database may be one that was used before.
			if status, text := call(t, "POST", p.surfaces+"/_emulator/reset", ""); status != http.StatusOK {
				t.Fatalf("reset answers %d %s", status, text)
			}
			apic := "/v2/0a1b2c3d4e5f60718293a4b5c6d7e8f9/apic/instances/11111111-2222-4333-8444-555555555555"
			made(t, p.surfaces+"/dev/v1/project", `{"name":"kept","enable_sign_key":false}`, "")
			group := made(t, p.surfaces+apic+"/api-groups", `{"name":"kept_group"}`, "id")
			api := made(t, p.surfaces+apic+"/apis", fmt.Sprintf(`{"name":"kept_api","type":1,"version":"v1","req_protocol":"BOTH","req_method":"GET",
				"req_uri":"/kept","auth_type":"NONE","backend_type":"MOCK","mock_info":{"result_content":"still here"},"group_id":%q}`, group), "id")
			made(t, p.surfaces+apic+"/apis/action", fmt.Sprintf(`{"action":"online","api_id":%q,"env_id":"DEFAULT_ENVIRONMENT_RELEASE_ID"}`, api), "publish_id")

			questions := []string{
				p.surfaces + "/dev/v1/projects/",
				p.surfaces + apic + "/apis/" + api,
				p.surfaces + apic + "/envs",
				p.gateway + "/kept",
			}
			ask := func() (all []string) {
				for _, url := range questions {
					status, text := call(t, "GET", url, "", "Host", group+".apic.gatehouse.local")
					all = append(all, fmt.Sprintf("%d %s", status, text))
				}
				return all
			}
			before := ask()
			for i, want := range []string{`"kept"`, "kept_api", "RELEASE", "still here"} {
				if !strings.HasPrefix(before[i], "200 ") || !strings.Contains(before[i], want) {
					t.Fatalf("%s answers %s, want %s in it", questions[i], before[i], want)
				}
			}
			p.Process.Kill() // kill -9
			p.Wait()

			again := start(t, program, args...)
			for i := range questions {
				questions[i] = strings.Replace(questions[i], p.surfaces, again.surfaces, 1)
				questions[i] = strings.Replace(questions[i], p.gateway, again.gateway, 1)
			}
			for i, answer := range ask() {
				if answer != before[i] {
					t.Errorf("%s answers\n%s\nand answered\n%s\nbefore", questions[i], answer, before[i])
				}
			}
		})
	}
}

func TestServerEndsCleanly(t *testing.T) {
	p := start(t, build(t), "-store", "bolt:"+filepath.Join(t.TempDir(), "gatehouse.db"))
	p.Process.Signal(os.Interrupt)
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v: %s", err, &p.errors)
		}
	case <-time.After(30 * time.Second):
		t.Error("the server does not end")
	}
}

func TestServerRefusesAStoreThatItCannotOpen(t *testing.T) {
	for _, args := range [][]string{
		{"-store", "nowhere"}, {"-store", "bolt:"}, {"-store", "bolt:" + t.TempDir()},
		{"-counters", "http://host"}, {"-store", "postgres://user:hush@127.0.0.1:1/none"},
	} {
		err := run(t.Context(), args, io.Discard)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
