package all

import (
	"os"
	"path/filepath"
	"testing"

	"millrace/ingest/protocol"
	"millrace/ingest/protocol/protocoltest"
)

// TestValidate: no two protocols have a path whose requests neither claims.
func TestValidate(t *testing.T) {
	if err := protocol.Validate(Protocols()); err != nil {
		t.Error(err)
	}
}

// TestShared: what is recorded of a protocol that shares a path has the same outcome beside all
// others as alone: each request is claimed by its own protocol, and answered by it.
func TestShared(t *testing.T) {
	list := Protocols()
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
	for _, p := range list {
		dir := filepath.Join("..", p.Name, "testdata")
		if _, err := os.Stat(dir); shared[p.Name] && err != nil {
			t.Errorf("protocol %s shares a path, and has no scripts: %v", p.Name, err)
		} else if shared[p.Name] {
			t.Run(p.Name, func(t *testing.T) { protocoltest.Run(t, dir, list...) })
		}
	}
}

// TestScripts: how requests for one path find their protocol.
func TestScripts(t *testing.T) { protocoltest.Run(t, "testdata", Protocols()...) }
