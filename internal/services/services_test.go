package services

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// built returns a Manager with a folder of its own that shares the programs which dev-services.sh has built.
func built(t *testing.T) *Manager {
	t.Helper()
	if os.Getenv("MILLRACE_TEST_INFLUX") == "" {
		t.Skip("MILLRACE_TEST_INFLUX not set: run deploy/dev-services.sh up")
	}
	return &Manager{Dir: t.TempDir(), Bin: binDir(t)}
}

// binDir is where the scripts of deploy keep programs.
func binDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MILLRACE_SERVICES_DIR")
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "bin")
}

func TestUpCrashResumeDown(t *testing.T) {
	m := built(t)
	link := filepath.Join(t.TempDir(), "bin") // programs behind a link are known again, too
	if err := os.Symlink(m.Bin, link); err == nil {
		m.Bin = link
	}
	up := func() Running {
		t.Helper()
		rs, err := m.Up(t.Context(), Influx)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) != 1 || !rs[0].alive() {
			t.Fatalf("running: %+v", rs)
		}
		return rs[0]
	}
	first := up()
	if again := up(); again != first {
		t.Errorf("a second up started %+v beside %+v", again, first)
	}
	if err := m.Crash(Influx); err != nil {
		t.Fatal(err)
	}
	if first.alive() {
		t.Error("it lives on after the crash")
	}
	if err := m.Resume(t.Context(), Influx); err != nil {
		t.Fatal(err)
	}
	second, err := m.load(Influx)
	if err != nil || second.URL != first.URL || second.PID == first.PID {
		t.Errorf("resumed as %+v, was %+v, %v", second, first, err)
	}
	if err := m.Crash(Influx); err != nil {
		t.Fatal(err)
	}
	third := up() // over a dead one
	if err := m.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if third.alive() {
		t.Error("it lives on after down")
	}
	if left, _ := filepath.Glob(filepath.Join(m.runDir(), "*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A file that names a process which is not the server, because the id was used again, ends nobody.
func TestDownSparesOthers(t *testing.T) {
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Skipf("no /proc on %s", runtime.GOOS)
	}
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { sleep.Process.Kill(); sleep.Wait() }()
	m := &Manager{Dir: t.TempDir()}
	if err := os.MkdirAll(m.runDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	r := Running{Name: Influx, PID: sleep.Process.Pid, Binary: "/somewhere/influxd", Dir: filepath.Join(m.runDir(), Influx)}
	if err := m.store(r); err != nil {
		t.Fatal(err)
	}
	if err := m.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Binary, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", r.PID))
	if !r.alive() {
		t.Error("another process was ended")
	}
}

func TestUnknownServer(t *testing.T) {
	m := &Manager{Dir: t.TempDir(), Log: &bytes.Buffer{}}
	if _, err := m.Up(t.Context(), "oracle"); err == nil || !strings.Contains(err.Error(), `unknown server "oracle"`) {
		t.Errorf("err is %v", err)
	}
}
