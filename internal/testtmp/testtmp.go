package testtmp

import (
	"flag"
	"os"
)

const (
	// folder is memory on every Linux. In a container it is 64 MB by default, which is too little.
	folder = "/dev/shm"
	// room is what has to be free there. Two packages at a time take a tenth of it.
	room = 1 << 30

	// variable is read by os.TempDir.
	variable = "TMPDIR"
	// kafka is set where tests share a cluster: their lock lies where all processes look for it.
	kafka = "MILLRACE_TEST_KAFKA"
)

// Memory is called by TestMain before it runs the tests. A TMPDIR of the environment stays.
func Memory() {
	if !flag.Parsed() {
		flag.Parse()
	}
	short, bench := flag.Lookup("test.short").Value.String(), flag.Lookup("test.bench").Value.String()
	if os.Getenv(variable) != "" || os.Getenv(kafka) != "" || short == "true" || bench != "" || free(folder) < room {
		return
	}
	if err := os.Setenv(variable, folder); err != nil {
		panic(err)
	}
}
