package all_test

import (
	"path/filepath"
	"testing"

	"millrace/ingest/protocol"
	"millrace/ingest/protocol/all"
)

// TestValidate: no two protocols have a path whose requests neither claims.
func TestValidate(t *testing.T) {
	if err := protocol.Validate(all.Protocols()); err != nil {
		t.Error(err)
	}
}

// TestScripts: what is recorded of a protocol has the outcome that its scripts say, and where it
// shares a path the same beside all others as alone: each request is claimed by its own protocol,
// and answered by it.
func TestScripts(t *testing.T) {
	list := all.Protocols()
	shared := sharing(list)
	for _, p := range list {
		dir := filepath.Join("..", p.Name, "testdata")
		scripts, err := filepath.Glob(filepath.Join(dir, "*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		if len(scripts) == 0 {
			if p.Name != "script" || shared[p.Name] { // of the page script nothing is stored
				t.Errorf("protocol %s has no scripts in %s", p.Name, dir)
			}
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			play(t, dir, p)
			if shared[p.Name] {
				t.Run("beside-all", func(t *testing.T) { play(t, dir, list...) })
			}
		})
	}
}

// sharing returns the names of the protocols that have a path which another has too.
func sharing(list []protocol.Protocol) map[string]bool {
	owners := map[string][]string{}
	for _, p := range list {
		for _, e := range p.Endpoints {
			owners[e.Path] = append(owners[e.Path], p.Name)
		}
	}
	shared := map[string]bool{}
	for _, names := range owners {
		for _, name := range names {
			shared[name] = shared[name] || len(names) > 1
		}
	}
	return shared
}

// TestShared: how requests for one path find their protocol.
func TestShared(t *testing.T) { play(t, "testdata/shared", all.Protocols()...) }
