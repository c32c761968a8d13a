package bench

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// taskset is the command that keeps a process on a processor, "" where there is
// none, or fewer than two processors to choose from.
var taskset = sync.OnceValue(func() string {
	path, err := exec.LookPath("taskset")
	if err != nil || runtime.NumCPU() < 2 || exec.Command(path, "-c", "0,1", "true").Run() != nil {
		return ""
	}
	return path
})

// apart is a command whose process stays on the first processor. This one leaves
// it alone until the benchmark ends: otherwise the scheduler moves both about,
// and what is measured is how well it does that.
func apart(b *testing.B, name string, args ...string) *exec.Cmd {
	b.Helper()
	if taskset() == "" {
		b.Log("without taskset: the processes share the processors")
		return exec.Command(name, args...)
	}
	keep := func(processors string) {
		out, err := exec.Command(taskset(), "-a", "-p", "-c", processors, strconv.Itoa(os.Getpid())).CombinedOutput()
		if err != nil {
			b.Errorf("taskset: %v: %s", err, out)
		}
	}
	last := strconv.Itoa(runtime.NumCPU() - 1)
	keep("1-" + last)
	b.Cleanup(func() { keep("0-" + last) })
	return exec.Command(taskset(), append([]string{"-c", "0", name}, args...)...)
}
