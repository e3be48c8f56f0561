package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"millrace/engine/event"
)

var (
	auditorOnce    sync.Once
	auditorProgram string
	errAuditor     error
)

// mustAuditor returns what makes the command of the self-audit, which belongs to another program: it
// is built once, with -slow or -long. Without them nothing is audited here; the test of
// millrace-verify's own command has one scenario that is.
func mustAuditor(t *testing.T) func(spec string) *exec.Cmd {
	t.Helper()
	if !*slow && !*long {
		return nil
	}
	auditorOnce.Do(func() {
		dir, err := os.MkdirTemp("", "millrace-chaos-audit-")
		if err != nil {
			errAuditor = err
			return
		}
		auditorProgram = filepath.Join(dir, "millrace-verify")
		out, err := exec.Command("go", "build", "-o", auditorProgram, "millrace/cmd/millrace-verify").CombinedOutput()
		if err != nil {
			errAuditor = fmt.Errorf("build the self-audit: %w\n%s", err, out)
		}
	})
	if errAuditor != nil {
		t.Fatal(errAuditor)
	}
	return func(spec string) *exec.Cmd { return exec.Command(auditorProgram, "audit", spec) }
}

// TestJudgeAudits: what is wrong with a cycle is in the report, and so is a falsified number that
// was not found.
func TestJudgeAudits(t *testing.T) {
	const hour = 5 * event.Hour
	right := Audited{Hours: 3, Points: 100}
	found := Audited{Hours: 3, Points: 100, Wrong: 1, WrongHours: []event.Time{hour}}
	f := func(got, control Audited, wants ...string) {
		t.Helper()
		var r Report
		r.judgeAudits(&got, "", hour, &control, "")
		if len(r.Wrong) != len(wants) {
			t.Errorf("%q, want %q", r.Wrong, wants)
			return
		}
		for i, want := range wants {
			if !strings.Contains(r.Wrong[i], want) {
				t.Errorf("%q, want %q", r.Wrong[i], want)
			}
		}
	}
	f(right, found)
	f(right, right, "was falsified, and the self-audit finds 0 wrong, want 1")
	f(right, Audited{Hours: 3, Points: 100, Wrong: 1, WrongHours: []event.Time{2 * hour}}, "was falsified")
	f(found, Audited{Hours: 3, Points: 100, Wrong: 2, WrongHours: []event.Time{hour}}, "finds 1 of 100 points wrong")
	f(Audited{Why: "no hour"}, found, "compared 0 hours with 0 points: no hour")
	f(Audited{Hours: 3}, found, "compared 3 hours with 0 points")
	f(Audited{Hours: 3, Points: 100, Skipped: map[string]int{"archive": 2}}, found, "skipped 2 hours: archive")
	var r Report
	if r.addAudited(&audited{}); len(r.Wrong) != 1 {
		t.Errorf("a scenario that audits nothing: %q", r.Wrong)
	}
}
