package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestConformance runs one suite on every implementation. The bucket's runs on a real server, whose
// address, with a bucket that exists, is in MILLRACE_TEST_S3.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("folder", func(t *testing.T) {
		conformance(t, func(t *testing.T) Store { return mustOpen(t, t.TempDir()) })
	})
	t.Run("s3", func(t *testing.T) {
		address := os.Getenv("MILLRACE_TEST_S3")
		if address == "" {
			t.Skip("set MILLRACE_TEST_S3=s3://KEY:SECRET@host:port/bucket to test against a real server")
		}
		conformance(t, func(t *testing.T) Store { return mustOpenS3(t, address, "test-"+rand.Text()) })
	})
}

func mustOpen(tb testing.TB, address string) Store {
	tb.Helper()
	s, err := Open(address)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// mustOpenS3 opens a bucket below a prefix of its own and empties that prefix afterwards.
func mustOpenS3(tb testing.TB, address, prefix string) Store {
	tb.Helper()
	cfg, err := ParseS3(address)
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Prefix = strings.Trim(cfg.Prefix+"/"+prefix, "/")
	s, err := OpenS3(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		for _, key := range mustList(tb, s, "", "") {
			if err := s.Delete(context.Background(), key); err != nil {
				tb.Error(err)
			}
		}
	})
	return s
}

func mustList(tb testing.TB, s Store, prefix, after string) []string {
	tb.Helper()
	var keys []string
	for info, err := range s.List(context.Background(), prefix, after) {
		if err != nil {
			tb.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func mustPut(tb testing.TB, s Store, key string, body []byte) {
	tb.Helper()
	if err := s.Put(context.Background(), key, body); err != nil {
		tb.Fatal(err)
	}
}

func conformance(t *testing.T, open func(t *testing.T) Store) {
	ctx := context.Background()

	t.Run("check", func(t *testing.T) {
		if err := open(t).Check(ctx); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("put and read", func(t *testing.T) {
		s := open(t)
		big := make([]byte, 20<<20) // above the size from which S3 clients would split an upload
		if _, err := rand.Read(big); err != nil {
			t.Fatal(err)
		}
		for i, body := range [][]byte{{}, []byte("x"), big, []byte("shorter than before")} {
			mustPut(t, s, "a/b.bin", body)
			got, err := s.Get(ctx, "a/b.bin")
			if err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%d: got %d bytes, %v; put %d", i, len(got), err, len(body))
			}
		}
	})

	t.Run("put new", func(t *testing.T) {
		s := open(t)
		for i, want := range []bool{true, false} {
			if put, err := PutNew(ctx, s, "a/b.json", fmt.Append(nil, i)); put != want || err != nil {
				t.Fatalf("%d: put %v, %v", i, put, err)
			}
		}
		if got, err := s.Get(ctx, "a/b.json"); err != nil || string(got) != "0" {
			t.Fatalf("got %q, %v", got, err)
		}
	})

	t.Run("ranges", func(t *testing.T) {
		s := open(t)
		mustPut(t, s, "k", []byte("0123456789"))
		obj, err := s.Open(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		defer obj.Close()
		if obj.Size() != 10 {
			t.Errorf("size %d, want 10", obj.Size())
		}
		f := func(pos int64, n int, want string, wantErr error) {
			t.Helper()
			p := make([]byte, n)
			n, err := obj.ReadAt(p, pos)
			if string(p[:n]) != want || !errors.Is(err, wantErr) || (err != nil) != (wantErr != nil) {
				t.Errorf("ReadAt(%d bytes, %d): %q, %v; want %q, %v", len(p), pos, p[:n], err, want, wantErr)
			}
		}
		f(0, 10, "0123456789", nil)
		f(3, 4, "3456", nil)
		f(9, 1, "9", nil)
		f(8, 5, "89", io.EOF)
		f(10, 1, "", io.EOF)
		f(4, 0, "", nil)
	})

	t.Run("missing", func(t *testing.T) {
		s := open(t)
		mustPut(t, s, "dir/k", []byte("x"))
		for _, key := range []string{"none", "dir", "dir/none", "dir/k/below"} {
			if _, err := s.Get(ctx, key); key != "dir" && key != "dir/k/below" && !errors.Is(err, ErrNotFound) {
				t.Errorf("Get(%q): %v, want ErrNotFound", key, err)
			}
			if key == "dir/k/below" {
				continue // a file system may call this "not a directory"
			}
			if _, err := s.Open(ctx, key); !errors.Is(err, ErrNotFound) {
				t.Errorf("Open(%q): %v, want ErrNotFound", key, err)
			}
		}
		if err := s.Delete(ctx, "none"); err != nil {
			t.Errorf("Delete of a missing object: %v", err)
		}
	})

	t.Run("delete", func(t *testing.T) {
		s := open(t)
		mustPut(t, s, "k", []byte("x"))
		if err := s.Delete(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(ctx, "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("after Delete: %v, want ErrNotFound", err)
		}
	})

	t.Run("list", func(t *testing.T) {
		s := open(t)
		// In byte order; "a-b" lies before "a/…" though the directory "a" sorts before it by name.
		keys := []string{"a-b", "a/1", "a/2/x", "a/2/y", "a/3", "a=", "b/c", "z"}
		for _, i := range []int{3, 0, 7, 5, 1, 6, 2, 4} {
			mustPut(t, s, keys[i], []byte(keys[i]))
		}
		for _, prefix := range []string{"", "a", "a/", "a/2", "a/2/", "a/2/y", "b", "none", "a/1/"} {
			for _, after := range append([]string{"", "a", "a/2", "a/2/x/", "zz"}, keys...) {
				var want []string
				for _, k := range keys {
					if strings.HasPrefix(k, prefix) && k > after {
						want = append(want, k)
					}
				}
				if got := mustList(t, s, prefix, after); !slices.Equal(got, want) {
					t.Errorf("List(%q, %q):\n got %q\nwant %q", prefix, after, got, want)
				}
			}
		}
		for info, err := range s.List(ctx, "a/2/", "") {
			if err != nil || info.Size != int64(len("a/2/x")) {
				t.Errorf("%+v, %v", info, err)
			}
			break // stopping early is allowed
		}
	})

	t.Run("bad keys", func(t *testing.T) {
		s := open(t)
		for _, key := range []string{"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/.hidden", `a\b`, "a b", "a\x00", "ä", strings.Repeat("x", 600)} {
			_, getErr := s.Get(ctx, key)
			_, openErr := s.Open(ctx, key)
			for _, err := range []error{s.Put(ctx, key, nil), s.Delete(ctx, key), getErr, openErr} {
				if !errors.Is(err, ErrKey) {
					t.Errorf("key %q: %v, want ErrKey", key, err)
				}
			}
		}
	})

	t.Run("cancelled", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Put(ctx, "k", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Put: %v, want Canceled", err)
		}
		for _, err := range s.List(ctx, "", "") {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("List: %v, want Canceled", err)
			}
		}
	})

	t.Run("atomic", func(t *testing.T) { atomicPut(t, open(t)) })
}

// atomicPut reads an object while others replace it, and must never see a mixture.
func atomicPut(t *testing.T, s Store) {
	const size, writers, rounds = 300_000, 3, 15
	mustPut(t, s, "k", bytes.Repeat([]byte{0}, size))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				if err := s.Put(context.Background(), "k", bytes.Repeat([]byte{byte(w*rounds + r)}, size)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for {
		body, err := s.Get(context.Background(), "k")
		if err != nil || len(body) != size || bytes.Count(body, body[:1]) != size {
			t.Errorf("saw a part: %d bytes, %v", len(body), err)
		}
		select {
		case <-done:
			if got := mustList(t, s, "", ""); !slices.Equal(got, []string{"k"}) {
				t.Errorf("left %q, want only k", got)
			}
			return
		default:
		}
	}
}

func TestFolderLeftovers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	for _, temp := range []string{besideDir(dir), filepath.Join(dir, tempDir)} {
		s := mustOpen(t, dir)
		if err := os.MkdirAll(temp, 0o700); err != nil {
			t.Fatal(err)
		}
		tmp := func(name string) string { return filepath.Join(temp, name) }
		for _, name := range []string{"put-old", "put-new"} {
			if err := os.WriteFile(tmp(name), []byte("half an obj"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		long := time.Now().Add(-2 * tempAge)
		if err := os.Chtimes(tmp("put-old"), long, long); err != nil {
			t.Fatal(err)
		}
		if keys := mustList(t, s, "", ""); len(keys) != 0 {
			t.Errorf("listed temporary files: %q", keys)
		}
		mustOpen(t, dir)
		if _, err := os.Stat(tmp("put-old")); !os.IsNotExist(err) {
			t.Errorf("an old temporary file stayed: %v", err)
		}
		if _, err := os.Stat(tmp("put-new")); err != nil {
			t.Errorf("a file that may still be written went: %v", err)
		}
	}
}

// In the folder there is nothing but objects, at no time: who reads it whole would trip over half
// of one.
func TestFolderHoldsObjectsOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	if err := os.MkdirAll(filepath.Join(dir, tempDir), 0o700); err != nil { // a build before made it
		t.Fatal(err)
	}
	s := mustOpen(t, dir).(*Folder)
	tmp, err := s.writeTemp([]byte("half an obj"))
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "a/b", []byte("x"))
	var names []string
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(path, dir))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"", "/a", "/a/b"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q; a temporary file is %s", names, want, tmp)
	}
}

// A folder that may be read and not written is read: nothing is made before the first object.
func TestFolderReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	mustPut(t, mustOpen(t, dir), "a", []byte("x"))
	if err := os.RemoveAll(besideDir(dir)); err != nil {
		t.Fatal(err)
	}
	mustList(t, mustOpen(t, dir), "", "")
	for _, made := range []string{besideDir(dir), filepath.Join(dir, tempDir)} {
		if _, err := os.Stat(made); err == nil {
			t.Errorf("%s was made", made)
		}
	}
}

// Where nothing can be made beside the folder, objects are written within it.
func TestFolderWithoutBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	if err := os.WriteFile(besideDir(dir), nil, 0o600); err != nil { // a file is in the way
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	mustPut(t, s, "a", []byte("x"))
	if keys := mustList(t, s, "", ""); !slices.Equal(keys, []string{"a"}) {
		t.Errorf("%q", keys)
	}
}

// A failed Put leaves the old object and no temporary file.
func TestFolderPutFails(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	mustPut(t, s, "a", []byte("file"))
	if err := s.Put(context.Background(), "a/b", []byte("x")); err == nil {
		t.Error("Put below a file: no error")
	}
	left, err := os.ReadDir(besideDir(dir))
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if s := mustOpen(t, "file://"+dir+"/x%20y"); s.String() != "folder "+dir+"/x y" {
		t.Errorf("opened %s", s)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"", "ftp://x/y", "file://relative", file, "minio:9000/bucket", "k:hunter2@minio/bucket", "s3://host", "s3://key@host/bucket",
		"s3://k:s@host/bucket?tls=perhaps", "s3://k:s@host/bucket?color=red", "s3://k:s@host/bucket/../x", "s3://k:hunter2@host/bucket?profile=x", "s3://k:s@host/bucket?style=dns",
		"s3://k:s@127.0.0.1/bucket?ca=x.pem", "s3://k:s@host/bucket?ca=/none.pem", "s3://k:hunter2@host/bucket?a=%zz", "s3://k:hunter2%@host/b"} {
		if _, err := Open(address); err == nil {
			t.Errorf("Open(%q): no error", address)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) tells the secret: %v", address, err)
		}
	}
}

func TestParseS3(t *testing.T) {
	f := func(address string, want S3Config) {
		t.Helper()
		got, err := ParseS3(address)
		if err != nil || got != want {
			t.Errorf("ParseS3(%q):\n got %+v, %v\nwant %+v", address, got, err, want)
		}
	}
	f("s3://127.0.0.1:9000/lake", S3Config{Endpoint: "127.0.0.1:9000", Bucket: "lake"})
	f("s3://k:s%2Fx@[::1]:9000/lake/a/b/", S3Config{Endpoint: "[::1]:9000", Bucket: "lake", Prefix: "a/b", AccessKey: "k", Secret: "s/x"})
	f("s3://k:s@s3.example.com/lake?region=eu-1", S3Config{Endpoint: "s3.example.com", Bucket: "lake", Region: "eu-1", TLS: true, AccessKey: "k", Secret: "s"})
	f("s3://minio:9000/lake?ca=%2Fetc%2Fca.pem&style=host&profile=archive&credentials=/run/aws",
		S3Config{Endpoint: "minio:9000", Bucket: "lake", TLS: true, CA: "/etc/ca.pem", Style: StyleHost, CredentialsFile: "/run/aws", Profile: "archive"})
	f("s3://k:s@minio:9000/lake?tls=false", S3Config{Endpoint: "minio:9000", Bucket: "lake", AccessKey: "k", Secret: "s"})
}

// Nothing listens on port 1: the error says so, quickly, and without the secret.
func TestS3Unreachable(t *testing.T) {
	s := mustOpen(t, "s3://key:hunter2@127.0.0.1:1/lake")
	for _, err := range []error{s.Check(context.Background()), s.Put(context.Background(), "k", nil)} {
		if err == nil || !strings.Contains(err.Error(), "can't be reached") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}

// TestS3Refused needs the real server too.
func TestS3Refused(t *testing.T) {
	address := os.Getenv("MILLRACE_TEST_S3")
	if address == "" {
		t.Skip("set MILLRACE_TEST_S3 to test against a real server")
	}
	cfg, err := ParseS3(address)
	if err != nil {
		t.Fatal(err)
	}
	f := func(what, want string, change func(*S3Config)) {
		t.Helper()
		c := cfg
		change(&c)
		s, err := OpenS3(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{s.Check(context.Background()), s.Put(context.Background(), "k", []byte("x"))} {
			if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v; want %q in it", what, err, want)
			}
		}
	}
	f("bad secret", "check key and secret", func(c *S3Config) { c.Secret = "wrong-wrong" })
	f("bad key", "check key and secret", func(c *S3Config) { c.AccessKey = "nobody" })
	f("bad bucket", "bucket does not exist", func(c *S3Config) { c.Bucket = "no-such-bucket-" + strings.ToLower(rand.Text()[:8]) })
}

func FuzzValidKey(f *testing.F) {
	for _, key := range []string{"a/b", "../x", "dt=2026-11-23/hr=10/e-0-00000000000000000000.parquet", "/", ".tmp/x"} {
		f.Add(key)
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, key string) {
		if ValidKey(key) != nil {
			return
		}
		path := filepath.Join(root, filepath.FromSlash(key))
		if path != root+"/"+key || strings.HasPrefix(path, filepath.Join(root, tempDir)+"/") {
			t.Errorf("key %q becomes path %q", key, path)
		}
	})
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "lake")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store, err := Open(dir)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := store.Put(ctx, "dt=2026-11-23/hello.txt", []byte("hello")); err != nil {
		panic(err)
	}
	for info, err := range store.List(ctx, "dt=2026-11-23/", "") {
		fmt.Println(info.Key, info.Size, err)
	}
	// Output: dt=2026-11-23/hello.txt 5 <nil>
}
