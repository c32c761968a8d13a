package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"strings"
	"testing"
)

// TestMain makes the test's own program a node when show starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTwoNodesAreOneSystem(t *testing.T) {
	s := settings{
		Store: os.Getenv("GATEHOUSE_TEST_POSTGRES"), Counters: redisURL(os.Getenv("GATEHOUSE_TEST_REDIS")),
		Project: "cluster-" + rand.Text(), Instance: rand.Text(), Token: rand.Text(),
	}
	if s.Store == "" || s.Counters == "" {
		const why = "GATEHOUSE_TEST_POSTGRES and GATEHOUSE_TEST_REDIS name no servers"
		if os.Getenv("GATEHOUSE_TEST_REQUIRED") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	var out bytes.Buffer
	if err := show(t.Context(), s, &out); err != nil {
		t.Fatalf("%v, after:\n%s", err, &out)
	}
	for _, want := range []string{"served by B", "a limit of 10", "A is killed", "A is back"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the program does not tell of %q:\n%s", want, &out)
		}
	}
}
