package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script. "exec millrace" is this test binary as the program. Scripts see BUSY, an address in
// use, FREE1 and FREE2, addresses that are not, and REFUSED, one where nobody listens; the command "ready ADDR" waits until the admin port at ADDR says so.
func TestScripts(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if err := os.Symlink(mustExecutable(t), filepath.Join(bin, "millrace")); err != nil {
		t.Fatal(err)
	}
	busy := mustListen(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(5 * time.Minute), // a server that starts although it should not; scripts wait for other tests, too
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv(asProgram, "1")
			env.Setenv("BUSY", busy.Addr().String())
			env.Setenv("REFUSED", "127.0.0.1:1")
			for i := range 2 {
				env.Setenv(fmt.Sprintf("FREE%d", i+1), mustFindFree(t))
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": cmdReady},
	})
}

// mustFindFree returns an address that is free and that the system gives to nobody who asks for any port: those are
// from 32768 on.
func mustFindFree(t *testing.T) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("a hundred ports are in use")
	return ""
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
