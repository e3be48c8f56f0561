package state

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/engine/event"
)

// The rules are tested by the scripts in testdata; TestScripts has the commands.

func mem() Options {
	return Options{Dir: "state", FS: vfs.NewMem(), Limit: testLimit, Life: event.Hour}
}

// TestChain: a delta that does not follow is ErrChain.
func TestChain(t *testing.T) {
	s := mustOpen(t, mem())
	mustApply(t, s, mk(-1, 0, add("a", 0, "/x")))
	if err := s.Apply(mk(1, 2, add("a", 0, "/x"))); !errors.Is(err, ErrChain) {
		t.Fatalf("a delta with a gap before it: %v", err)
	}
}
