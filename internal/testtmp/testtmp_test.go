package testtmp

import (
	"os"
	"os/exec"
	"testing"
)

// asChild makes the test binary print where temporary folders lie after Memory.
const asChild = "MILLRACE_TEST_TMP"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		Memory()
		os.Stdout.WriteString(os.TempDir())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMemory(t *testing.T) {
	f := func(want, tmpdir, kafkas string, args ...string) {
		t.Helper()
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), asChild+"=1", variable+"="+tmpdir, kafka+"="+kafkas)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("TMPDIR=%q %v: %s (%v), want %s", tmpdir, args, out, err, want)
		}
	}
	t.Setenv(variable, "")
	disk, memory := os.TempDir(), folder
	if free(folder) < room {
		memory = disk
	}
	given := t.TempDir()
	f(memory, "", "")
	f(given, given, "")
	f(disk, "", "localhost:9092")
	f(disk, "", "", "-test.short")
	f(disk, "", "", "-test.bench=.")
}
