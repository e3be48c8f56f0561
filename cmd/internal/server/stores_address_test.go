package server_test

import (
	"strings"
	"testing"

	"millrace/cmd/internal/stores"
)

func TestValidLake(t *testing.T) {
	f := func(address, want string) {
		t.Helper()
		got := ""
		if err := stores.Validate("", address); err != nil {
			got = err.Error()
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) || strings.Contains(got, "hush") {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
	for _, good := range []string{"", "./lake", "/srv/lake", "not/there", "lake/", "file:///srv/lake", "s3://k:s@h:9000/b/p?region=eu&tls=true"} {
		f(good, "")
	}
	f("bucket", "neither")
	f("http://k:hush@minio:9000/b/", "write s3://KEY:SECRET@minio:9000/b?tls=false")
	f("https://minio/b", "write s3://KEY:SECRET@minio/b?tls=true")
	f("https://b.s3.amazonaws.com", "write s3://KEY:SECRET@b.s3.amazonaws.com/BUCKET?tls=true")
	f("gs://b/p", `unknown scheme "gs"`)
	f("s3:/b", "begins with neither s3://")
	f("s3://k:hush@h:9000", "want s3://KEY:SECRET@host:port/bucket/prefix")
	f("s3://k@h:9000/b", "key and secret go together")
}
