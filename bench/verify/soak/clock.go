package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Variables that a program of Build reads: from which time on, in Unix seconds, its wall clock goes how
// many times as fast.
const (
	epochVariable = "SOAK_CLOCK_EPOCH"
	speedVariable = "SOAK_CLOCK_SPEED"
)

// fastNow takes the place of the runtime's declaration of time.Now.
const fastNow = `
func trueNow() (sec int64, nsec int32, mono int64)

func clockNumber(name string) int64 { n, _ := strconv.Atoi(gogetenv(name)); return int64(n) }

var clockEpoch, clockSpeed = clockNumber("` + epochVariable + `"), clockNumber("` + speedVariable + `")

//go:linkname time_now time.now
func time_now() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = trueNow()
	if clockSpeed == 0 {
		return sec, nsec, mono
	}
	d := ((sec-clockEpoch)*1e9 + int64(nsec)) * clockSpeed
	return clockEpoch + d/1e9, int32(d % 1e9), mono
}
`

// fastFiles turns a time of a file into what the fast clock showed then.
const fastFiles = `
func fastTime(t time.Time) time.Time {
	epoch, _ := strconv.ParseInt(os.Getenv("` + epochVariable + `"), 10, 64)
	speed, _ := strconv.Atoi(os.Getenv("` + speedVariable + `"))
	from := time.Unix(epoch, 0)
	return from.Add(time.Duration(max(speed, 1)) * t.Sub(from))
}
`

// clock is a wall clock that goes faster than the machine's.
type clock struct {
	epoch time.Time // when both are the same
	speed int
}

// at returns what the clock shows at a time of the machine's.
func (c clock) at(t time.Time) time.Time {
	return c.epoch.Add(time.Duration(c.speed) * t.Sub(c.epoch))
}

// environment is what a program of Build needs to have this clock.
func (c clock) environment() []string {
	return []string{fmt.Sprintf("%s=%d", epochVariable, c.epoch.Unix()), fmt.Sprintf("%s=%d", speedVariable, c.speed)}
}

// Build builds cmd/millrace of the module in a folder so that its wall clock can go faster, and
// returns the program's path in dir.
func Build(ctx context.Context, module, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	if module, err = filepath.Abs(module); err != nil {
		return "", err
	}
	runtime := filepath.Join(strings.TrimSpace(string(root)), "src", "runtime")
	overlay := overlay{dir: dir, Replace: map[string]string{}}
	err = errors.Join(
		overlay.edit(filepath.Join(runtime, "time_linux_amd64.s"), "TEXT time·now<", "TEXT ·trueNow<"),
		overlay.edit(filepath.Join(runtime, "timeasm.go"),
			`import _ "unsafe"`, `import ("internal/strconv"; _ "unsafe")`,
			"//go:linkname time_now time.now\nfunc time_now() (sec int64, nsec int32, mono int64)", fastNow),
		// The collector compares the wall clock with a monotonic one.
		overlay.edit(filepath.Join(module, "ingest", "elapsed_linux.go"),
			"return now - start", "return speed*(now - start)",
			"start, err := bootTime()", "n, _ := strconv.Atoi(os.Getenv(\""+speedVariable+"\")); speed := time.Duration(max(n, 1)); start, err := bootTime()",
			"import (", "import (\n\t\"os\"\n\t\"strconv\""),
		// The embedded broker deletes files by when they were written, which the kernel's clock says.
		overlay.edit(filepath.Join(module, "internal", "broker", "retention.go"),
			"info.Size(), info.ModTime()}", "info.Size(), fastTime(info.ModTime())}",
			"// retain ", fastFiles+"\n// retain "))
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(overlay)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	program := filepath.Join(dir, "millrace")
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", file, "-o", program, "./cmd/millrace")
	cmd.Dir, cmd.Env = module, append(os.Environ(), "CGO_ENABLED=0") // as a release is built: the stores' memory is Go's
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ./cmd/millrace with a fast clock: %w\n%s", err, bytes.TrimSpace(out))
	}
	return program, nil
}

// overlay is go build's -overlay.
type overlay struct {
	dir     string
	Replace map[string]string
}

// edit replaces texts, in pairs of old and new, in a file. Each has to be there once.
func (o *overlay) edit(file string, pairs ...string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read what the fast clock replaces: %w", err)
	}
	text := string(b)
	for i := 0; i < len(pairs); i += 2 {
		if n := strings.Count(text, pairs[i]); n != 1 {
			return fmt.Errorf("%s has %s %d times, want once: another version of Go, or of Millrace, than this was written for", file, strconv.Quote(pairs[i]), n)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	to := filepath.Join(o.dir, "overlay-"+filepath.Base(file))
	if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write overlay: %w", err)
	}
	o.Replace[file] = to
	return nil
}
