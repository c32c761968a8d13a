// Command cluster runs two nodes, each a control plane and a gateway, on one
// PostgreSQL and one Redis, and shows that they are one system: what is
// published through one is served by the other, a limit is shared to the last
// call, and when one is killed the other goes on.
//
//	go run . -store postgres://user:password@host/db -counters redis://host:6379
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := settings{Project: "cluster-" + rand.Text(), Instance: rand.Text(), Token: rand.Text()}
	flag.StringVar(&s.Store, "store", os.Getenv("GATEHOUSE_TEST_POSTGRES"), "the database of all nodes, postgres://...")
	flag.StringVar(&s.Counters, "counters", redisURL(os.Getenv("GATEHOUSE_TEST_REDIS")), "the counters of all nodes, redis://...")
	flag.Parse()
	run := show
	if json.Unmarshal([]byte(os.Getenv(nodeVariable)), &s) == nil { // one of the nodes that show starts
		run = serve
	}
	if s.Store == "" || s.Counters == "" {
		fmt.Fprintln(os.Stderr, "cluster: needs -store postgres://... and -counters redis://...")
		os.Exit(2)
	}
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func redisURL(address string) string {
	if address == "" {
		return ""
	}
	return "redis://" + address
}

// show is the demonstration: it tells each step and what came of it.
func show(ctx context.Context, s settings, out io.Writer) error {
	var nodes [2]*node
	for i := range nodes {
		n, err := start(ctx, s)
		if err != nil {
			return err
		}
		defer n.kill()
		nodes[i] = n
	}
	a, b := nodes[0], nodes[1]
	fmt.Fprintf(out, "two nodes: A with its gateway at %s, B at %s\n", a.gateway, b.gateway)

	group, err := a.create(ctx, "/api-groups", map[string]any{"name": "greetings"}, "id")
	if err != nil {
		return err
	}
	host := group + ".apic.gatehouse.local"
	api, err := a.create(ctx, "/apis", definition(group, "hello"), "id")
	if err != nil {
		return err
	}
	publish := map[string]any{"action": "online", "api_id": api, "env_id": "DEFAULT_ENVIRONMENT_RELEASE_ID"}
	publication, err := a.create(ctx, "/apis/action", publish, "publish_id")
	if err != nil {
		return err
	}
	took, err := b.awaits(ctx, host, "hello")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "published through A, served by B within %v\n", took)

	limit, err := b.create(ctx, "/throttles", map[string]any{"name": "ten_an_hour", "type": 1, "api_call_limits": 10, "time_interval": 1, "time_unit": "HOUR"}, "id")
	if err != nil {
		return err
	}
	if _, err := b.create(ctx, "/throttle-bindings", map[string]any{"strategy_id": limit, "publish_ids": []string{publication}}, ""); err != nil {
		return err
	}
	time.Sleep(time.Second) // by then A has the limit too
	var admitted, refused [2]int
	for i := range 30 {
		status, _, err := nodes[i%2].call(ctx, host)
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			admitted[i%2]++
		case status == http.StatusTooManyRequests:
			refused[i%2]++
		}
	}
	fmt.Fprintf(out, "a limit of 10, bound through B: of 15 calls each A admitted %d and refused %d, B admitted %d and refused %d\n",
		admitted[0], refused[0], admitted[1], refused[1])
	if admitted[0]+admitted[1] != 10 {
		return errors.New("the nodes do not share the limit")
	}

	a.kill()
	if err := b.change(ctx, "/throttles/"+limit, map[string]any{"name": "many_an_hour", "type": 1, "api_call_limits": 1000, "time_interval": 1, "time_unit": "HOUR"}); err != nil {
		return err
	}
	if err := b.change(ctx, "/apis/"+api, definition(group, "hello again")); err != nil {
		return err
	}
	if _, err := b.create(ctx, "/apis/action", publish, ""); err != nil {
		return err
	}
	if _, err := b.awaits(ctx, host, "hello again"); err != nil {
		return err
	}
	fmt.Fprintln(out, "A is killed; B raised the limit, published anew and serves it")

	if a, err = start(ctx, s); err != nil {
		return err
	}
	defer a.kill()
	if _, err := a.awaits(ctx, host, "hello again"); err != nil {
		return err
	}
	fmt.Fprintln(out, "A is back and serves the same")
	return nil
}

// definition is an API that answers with a text.
func definition(group, text string) map[string]any {
	return map[string]any{
		"group_id": group, "name": "greeting", "type": 1, "req_protocol": "BOTH", "req_method": "GET", "req_uri": "/greeting",
		"auth_type": "NONE", "backend_type": "MOCK", "mock_info": map[string]any{"result_content": text},
	}
}

// nodeVariable has a node's settings, which are no arguments: those are for
// everybody on the machine to see.
const nodeVariable = "GATEHOUSE_CLUSTER_NODE"

// A node is a process that runs serve.
type node struct {
	process *exec.Cmd
	control string // base URL of the calls of chapter 4
	gateway string
	token   string
}

func start(ctx context.Context, s settings) (*node, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	n := &node{process: exec.CommandContext(ctx, program), token: s.Token}
	n.process.Env = append(os.Environ(), nodeVariable+"="+string(text))
	n.process.Stderr = os.Stderr
	out, err := n.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.process.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for _, base := range []*string{&n.control, &n.gateway} {
		if !lines.Scan() {
			n.kill()
			return nil, errors.New("a node does not start")
		}
		*base = lines.Text()
	}
	n.control += "/v2/" + s.Project + "/apic/instances/" + s.Instance
	return n, nil
}

// kill ends the node as kill -9 does.
func (n *node) kill() {
	n.process.Process.Kill()
	n.process.Wait()
}

// create makes something and returns the named field of the answer.
func (n *node) create(ctx context.Context, path string, body any, field string) (string, error) {
	answer, err := n.ask(ctx, http.MethodPost, path, body)
	value, _ := answer[field].(string)
	return value, err
}

func (n *node) change(ctx context.Context, path string, body any) error {
	_, err := n.ask(ctx, http.MethodPut, path, body)
	return err
}

// ask makes a call of the control plane.
func (n *node) ask(ctx context.Context, method, path string, body any) (answer map[string]any, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, n.control+path, strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Auth-Token", n.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %v", method, path, answer)
	}
	return answer, nil
}

// call calls the API through the node's gateway.
func (n *node) call(ctx context.Context, host string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.gateway+"/greeting", nil)
	if err != nil {
		return 0, "", err
	}
	r.Host = host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// awaits calls the API until the answer is what it should be, and returns how
// long that took.
func (n *node) awaits(ctx context.Context, host, want string) (time.Duration, error) {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		status, body, err := n.call(ctx, host)
		took := time.Since(began)
		if err != nil || status == http.StatusOK && body == want {
			return took.Round(time.Millisecond), err
		}
		if took > 10*time.Second {
			return 0, fmt.Errorf("the answer stays %d %q", status, body)
		}
	}
}
