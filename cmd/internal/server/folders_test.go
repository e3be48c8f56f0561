package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFolderThatCantBeRead: what passes, such as a lack of descriptors, is no folder that is gone,
// and nothing is to be put back.
func TestFolderThatCantBeRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, l := range []look{brokerFolder(dir, func() string { return "begin anew" }), rollupsFolder(dir)} {
		if err := l(); err == nil || strings.Contains(err.Error(), ";") || !strings.Contains(err.Error(), "look at the data folder") {
			t.Errorf("%v", err)
		}
	}
}
