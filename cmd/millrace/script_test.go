package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script. "exec millrace" is this test binary as the program. Scripts see BUSY, an address in
// use, and FREE1 and FREE2, addresses that are not; the command "ready ADDR" waits until the admin port at ADDR says so.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	if err := os.Symlink(mustExecutable(t), filepath.Join(bin, "millrace")); err != nil {
		t.Fatal(err)
	}
	busy := mustListen(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(time.Minute), // a server that starts although it should not
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv(asProgram, "1")
			env.Setenv("BUSY", busy.Addr().String())
			for i := range 2 {
				ln := mustListen(t)
				env.Setenv(fmt.Sprintf("FREE%d", i+1), ln.Addr().String())
				ln.Close()
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": cmdReady},
	})
}

func cmdReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDR")
	}
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		resp, err := http.Get("http://" + args[0] + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s is not ready", args[0])
}
