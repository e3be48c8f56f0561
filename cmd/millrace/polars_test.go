package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// polarsScript prints how many events polars finds in the folder of an archive, and how many of a site.
const polarsScript = `
import sys, polars as pl
folder, site = sys.argv[1:]
rows = pl.scan_parquet(folder + "/dt=*/hr=*/*.parquet", hive_partitioning=True)
print(rows.select(pl.len()).collect().item(), rows.filter(pl.col("site") == site).select(pl.len()).collect().item(), "dt" in rows.collect_schema().names())
`

// TestImportRecountPolars: polars reads the archive of a running server, by the pattern of its hours. It refuses one with anything
// among them that is not Parquet.
func TestImportRecountPolars(t *testing.T) {
	python := os.Getenv("MILLRACE_TEST_PYTHON")
	if python == "" {
		t.Skip("MILLRACE_TEST_PYTHON is not set: the Python that has polars")
	}
	at := localPlace(t)
	mustRun(t, exitOK, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	s := mustServe(t, at, backupFlags...)
	const n = 5
	for i := range n {
		mustBeacon(t, s, backupSite, i)
	}
	mustArchive(t, at, n)
	imported := 0
	for name := range lakeFiles(t, at) {
		if strings.Contains(name, "/import-") {
			imported++
		}
	}
	for range 5 { // files come and go meanwhile
		out, err := exec.Command(python, "-c", polarsScript, filepath.Join(at.data, "lake"), backupSite).CombinedOutput()
		if words := strings.Fields(string(out)); err != nil || len(words) != 3 || words[1] != "5" || words[2] != "True" || imported == 0 {
			t.Errorf("%s, %v", out, err)
		}
	}
	s.mustStop(t)
}
