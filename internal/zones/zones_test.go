package zones

import (
	"archive/zip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	_ "time/tzdata"
)

// TestNames compares the list with the database of the toolchain.
func TestNames(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("no toolchain: %v", err)
	}
	r, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(out)), "lib", "time", "zoneinfo.zip"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var want []string
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, "/") && f.Name != "Factory" {
			want = append(want, f.Name)
		}
	}
	slices.Sort(want)
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("names.txt has %d names, the database %d: list it again", len(got), len(want))
	}
}

func TestLoad(t *testing.T) {
	for _, name := range Names() {
		if loc, err := Load(name); err != nil || loc.String() != name {
			t.Errorf("%s: %v, %v", name, loc, err)
		}
	}
	f := func(name, hint string) {
		t.Helper()
		loc, err := Load(name)
		if !errors.Is(err, ErrName) || !strings.Contains(err.Error(), hint) || hint == "" && strings.Contains(err.Error(), ";") {
			t.Errorf("%q: %v, %v; want the hint %q", name, loc, err, hint)
		}
	}
	f("", "")
	f("Local", "")
	f("localtime", "")
	f("posixrules", "")
	f("Factory", "")
	f("right/Europe/Berlin", "")
	f("posix/Europe/Berlin", "")
	f("tzdata.zi", "")
	f("Etc/Unknown", "")
	f("CEST", "")
	f("../../etc/localtime", "")
	f("europe/berlin", "did you mean Europe/Berlin?")
	f("Berlin", "did you mean Europe/Berlin?")
	f("new york", "did you mean America/New_York?")
	f("utc", "did you mean UTC?")
	f("+05:30", "Etc/GMT-2")
	for _, two := range []string{"UTC+2", "GMT+2", "+2", "+02:00", "gmt+02", "UTC +2", "utc+0200", "etc/gmt-2"} {
		f(two, "did you mean Etc/GMT-2? It is 2 h ahead of UTC")
	}
	f("GMT-11", "did you mean Etc/GMT+11? It is 11 h behind UTC")
	f("UTC+14", "did you mean Etc/GMT-14?")
	f("UTC-14", "Etc/GMT-2 for two hours ahead")
	f("GMT+5:30", "Etc/GMT-2 for two hours ahead")
}

// TestNamesOfTheMachine: files that the machine has beside those of the database add no name.
func TestNamesOfTheMachine(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile("/usr/share/zoneinfo/Europe/Berlin")
	if err != nil {
		t.Skipf("no zone files on this machine: %v", err)
	}
	for _, name := range []string{"localtime", "Mine"} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ZONEINFO", dir) // read before the machine's own, where it has been set at the start
	for _, name := range []string{"localtime", "Mine", "Factory"} {
		if loc, err := Load(name); !errors.Is(err, ErrName) {
			t.Errorf("%s: %v, %v", name, loc, err)
		}
	}
}
