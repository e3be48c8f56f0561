// Package image proves what deploy/image.sh makes: the layout, and that it runs as a container
// would run it. No container engine is needed: namespaces and a chroot stand for it.
package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/deploy/verify"
)

// file is an entry of a layer.
type file struct {
	header tar.Header
	data   []byte
}

type descriptor struct {
	MediaType, Digest string
	Size              int
	Platform          struct{ Architecture, OS string }
}

type manifest struct {
	Config      descriptor
	Layers      []descriptor
	Manifests   []descriptor
	Annotations map[string]string
}

type config struct {
	Created          time.Time
	Architecture, OS string
	Config           struct {
		User, StopSignal, WorkingDir string
		Env, Entrypoint, Cmd         []string
		ExposedPorts, Volumes        map[string]struct{}
		Labels                       map[string]string
	}
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	}
}

// layout is the tar, opened. Each blob has been compared with its digest and size.
type layout map[string][]byte

func mustLayout(t testing.TB, path string) layout {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := layout{}
	for name, f := range mustTar(t, f) {
		l[name] = f.data
	}
	return l
}

func mustTar(t testing.TB, r io.Reader) map[string]file {
	t.Helper()
	files := map[string]file{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = file{*h, data}
	}
}

func (l layout) mustBlob(t testing.TB, d descriptor) []byte {
	t.Helper()
	data, ok := l["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
	if !ok || len(data) != d.Size || d.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256(data)) {
		t.Fatalf("%+v: a blob of %d bytes, there: %v", d, len(data), ok)
	}
	return data
}

func mustJSON[T any](t testing.TB, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// images has what mustImage made, for all tests.
var images string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		panic(err)
	}
	images = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// mustImage returns the tar of an image: that of MILLRACE_IMAGE, or else one for this machine's
// architecture, which the first call makes.
func mustImage(t testing.TB) string {
	t.Helper()
	if given := os.Getenv("MILLRACE_IMAGE"); given != "" {
		return given
	}
	out := filepath.Join(images, "millrace.tar")
	if _, err := os.Stat(out); err != nil {
		mustMake(t, out)
	}
	return out
}

func mustMake(t testing.TB, out string) {
	t.Helper()
	arch := goarch(t)
	cmd := exec.Command("go", "run", "-C", "../../image", ".", "--binary", arch+"="+verify.Binary(t), "--version", "1.2.3",
		"--revision", "abc", "--created", "1700000000", "--license", "../../LICENSE", "--out", out)
	if data, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
}

func goarch(t testing.TB) string {
	t.Helper()
	data, err := exec.Command("go", "env", "GOARCH").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// open returns what is in the layout's image for this machine.
func (l layout) open(t testing.TB) (config, map[string]file, descriptor) {
	t.Helper()
	top := mustJSON[manifest](t, l["index.json"])
	index := mustJSON[manifest](t, l.mustBlob(t, top.Manifests[0]))
	of := slices.IndexFunc(index.Manifests, func(d descriptor) bool { return d.Platform.OS == "linux" && d.Platform.Architecture == goarch(t) })
	if of < 0 {
		t.Fatalf("no image for linux/%s: %+v", goarch(t), index)
	}
	m := mustJSON[manifest](t, l.mustBlob(t, index.Manifests[of]))
	c := mustJSON[config](t, l.mustBlob(t, m.Config))
	zipped := l.mustBlob(t, m.Layers[0])
	zip, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	if diff := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); len(c.RootFS.DiffIDs) != 1 || c.RootFS.DiffIDs[0] != diff {
		t.Errorf("diff id %q, the layer's is %s", c.RootFS.DiffIDs, diff)
	}
	if c.Architecture != goarch(t) || c.OS != "linux" {
		t.Errorf("%+v", c)
	}
	return c, mustTar(t, bytes.NewReader(layer)), m.Layers[0]
}

// TestSame: two builds are the same bytes.
func TestSame(t *testing.T) {
	var builds [2][]byte
	for i := range builds {
		out := filepath.Join(t.TempDir(), "millrace.tar")
		mustMake(t, out)
		var err error
		if builds[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Error("two builds differ")
	}
}

// TestImage: every digest is right; the layer is small, and has nothing that is writable but the
// folder of data and /tmp.
func TestImage(t *testing.T) {
	c, files, layer := mustLayout(t, mustImage(t)).open(t)
	if layer.Size > 25e6 {
		t.Errorf("%.1f MB, want at most 25", float64(layer.Size)/1e6)
	}
	t.Logf("%.1f MB compressed", float64(layer.Size)/1e6)
	for _, want := range []string{"title", "description", "licenses", "version", "revision", "created"} {
		if c.Config.Labels["org.opencontainers.image."+want] == "" {
			t.Errorf("no label %s: %q", want, c.Config.Labels)
		}
	}
	for name, f := range files {
		owner := map[string]int{"data/": 65532}[name]
		writable := map[string]int64{"data/": 0o700, "tmp/": 0o1777}[name]
		if f.header.Uid != owner || f.header.Gid != owner || writable == 0 && f.header.Mode&0o022 != 0 || writable != 0 && f.header.Mode != writable || f.header.Mode&0o6000 != 0 {
			t.Errorf("%s: owner %d, mode %o", name, f.header.Uid, f.header.Mode)
		}
		if !f.header.ModTime.Equal(c.Created) {
			t.Errorf("%s: %v, the image is of %v", name, f.header.ModTime, c.Created)
		}
	}
	certificates := 0
	for rest := files["etc/ssl/certs/ca-certificates.crt"].data; ; certificates++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
	}
	if certificates < 50 {
		t.Errorf("%d roots of certificates", certificates)
	}
}

// TestMaterials: the bill of materials names each module that go version -m shows, and no other. One that a folder of the repository
// takes the place of is a part of Millrace.
func TestMaterials(t *testing.T) {
	_, files, _ := mustLayout(t, mustImage(t)).open(t)
	bom := mustJSON[struct {
		BOMFormat, SpecVersion string
		SerialNumber           string
		Components             []struct{ Name, Version, PURL string }
	}](t, files["sbom.cdx.json"].data)
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" || !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(bom.SerialNumber) {
		t.Errorf("%s %s %s", bom.BOMFormat, bom.SpecVersion, bom.SerialNumber)
	}
	binary := filepath.Join(t.TempDir(), "millrace")
	if err := os.WriteFile(binary, files["millrace"].data, 0o600); err != nil {
		t.Fatal(err)
	}
	shown, err := exec.Command("go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	shown = regexp.MustCompile(`(?m)^\tdep\t.*\n\t=>\t\./.*\n`).ReplaceAll(shown, nil)
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(string(shown), -1) {
		want = append(want, "pkg:golang/"+m[1]+"@"+m[2])
	}
	if len(want) < 20 {
		t.Fatalf("go version -m shows %d modules", len(want))
	}
	want = append(want, "pkg:golang/std@"+strings.TrimPrefix(regexp.MustCompile(`go1\S*`).FindString(string(shown)), "go"))
	var got []string
	for _, c := range bom.Components {
		got = append(got, c.PURL)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestDockerfile: the Dockerfile's last stage runs the program as the image does.
func TestDockerfile(t *testing.T) {
	c, files, _ := mustLayout(t, mustImage(t)).open(t)
	data, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, ok := strings.Cut(strings.ReplaceAll(string(data), "\\\n", " "), "\nFROM scratch\n")
	if !ok {
		t.Fatal("no stage FROM scratch")
	}
	list := func(v []string) string {
		data, _ := json.Marshal(v)
		return strings.ReplaceAll(string(data), ",", ", ")
	}
	for _, want := range []string{
		"USER " + c.Config.User, "ENV " + strings.Join(c.Config.Env, " "), "WORKDIR " + c.Config.WorkingDir, "STOPSIGNAL " + c.Config.StopSignal,
		"ENTRYPOINT " + list(c.Config.Entrypoint), "CMD " + list(c.Config.Cmd), "EXPOSE 8080/tcp 8081/tcp", "VOLUME /data",
	} {
		if !strings.Contains("\n"+last, "\n"+want+"\n") {
			t.Errorf("the Dockerfile has no %s", want)
		}
	}
	for name := range files {
		top, _, _ := strings.Cut(name, "/")
		if !strings.Contains(last, "/rootfs/"+top) {
			t.Errorf("the Dockerfile does not copy %s", name)
		}
	}
}

// enter becomes the container's process: the root is mounted read-only, the data folder and /tmp can be written
// to, nothing else of the machine is there.
const enter = `set -e
root=$1 data=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro,nosuid,nodev "$root"
mount --bind "$data" "$root/data"
mount -t tmpfs -o size=16m,mode=1777 tmpfs "$root/tmp"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all \
	chroot --userspec=65532:65532 --groups= "$root" "$@"`

// TestRun: the image's own command, as its user, on a root that can't be written to, counts an event,
// answers a query, shows its metrics, and ends with 0 after SIGTERM.
func TestRun(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to make a root of its own for the program")
	}
	c, files, _ := mustLayout(t, mustImage(t)).open(t)
	root, data := t.TempDir(), t.TempDir()
	for _, f := range files {
		path := filepath.Join(root, f.header.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if f.header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, f.data, os.FileMode(f.header.Mode))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{root, filepath.Dir(root)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(data, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	const key = "a-key-of-a-test-long-enough"
	args := append(slices.Clone(c.Config.Entrypoint), c.Config.Cmd...)
	// Ports of this machine's loopback, since there is no network namespace.
	args = append(args, "--sites", "shop.example.com", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--query-keys", key, "--time-zone", "Pacific/Auckland", "--drain", "0")
	cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts", "sh", "-c", enter, "sh", root, data}, args...)...)
	cmd.Env = c.Config.Env
	cmd.Env = append(cmd.Env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { // unshare's --kill-child takes the program along
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	public, admin := "", ""
	for lines := bufio.NewScanner(stdout); (public == "" || admin == "") && lines.Scan(); {
		if address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(lines.Text()); address != "" && public == "" {
			public = address
		} else if address != "" {
			admin = address
		}
	}
	if admin == "" {
		t.Fatalf("it did not start\n%s", log.String())
	}
	go io.Copy(io.Discard, stdout)

	get := func(method, url, body string, header ...string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		data, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(data)
	}
	eventually := func(what string, f func() (bool, string)) {
		t.Helper()
		var last string
		for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			var ok bool
			if ok, last = f(); ok {
				return
			}
		}
		t.Fatalf("%s: %s", what, last)
	}
	eventually("ready", func() (bool, string) {
		code, body := get("GET", admin+"/readyz", "")
		return code == 200, body
	})
	if code, body := get("POST", public+"/v1/events", `{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/hello"}`); code/100 != 2 {
		t.Fatalf("%d %s", code, body)
	}
	eventually("the number", func() (bool, string) {
		code, body := get("POST", public+"/api/v2/query", `{"site_id":"shop.example.com","metrics":["pageviews"],"date_range":"day","dimensions":["event:page"]}`, "Authorization", "Bearer "+key)
		return code == 200 && strings.Contains(strings.Join(strings.Fields(body), ""), `{"metrics":[1],"dimensions":["/hello"]}`), body
	})
	// All of the retention, or a 64th less: collectors write to each partition also where no event comes.
	headroom := regexp.MustCompile(`millrace_log_headroom_seconds\{group="millrace\.engine",partition="0"\} (86400|85050)\n`)
	eventually("metrics", func() (bool, string) {
		_, body := get("GET", admin+"/metrics", "")
		return headroom.MatchString(body), body
	})
	// The program is the child of unshare, and 1 in its own namespace: SIGTERM has to reach it there.
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var child int
	fmt.Sscan(string(children), &child)
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", child))
	for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("not %q\n%s", want, status)
		}
	}
	if err := syscall.Kill(child, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, log.String())
	}
	if _, err := os.Stat(filepath.Join(data, "lake")); err != nil {
		t.Errorf("nothing was kept in /data: %v", err)
	}
}
