package soak

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Sample is what was seen at one time.
type Sample struct {
	// At is when, in seconds of the machine's clock since the load began, Log what the server's clock
	// showed then.
	At  float64
	Log time.Time
	// Load is what became of the load by then.
	Load loadCounts
	// RSS is the server's resident memory in bytes, Files its open files, CPU the seconds of processor
	// time that it has used.
	RSS, Files int64
	CPU        float64
	// Disk has the bytes of the data folder by what they are: a topic of the log, a folder.
	Disk map[string]int64
	// Metrics has /metrics but for histograms' buckets, each name summed up over its labels.
	Metrics map[string]float64
}

// take takes a sample of a server.
func take(pid int, admin, data string, client *http.Client) (*Sample, error) {
	s := &Sample{}
	proc := fmt.Sprintf("/proc/%d", pid)
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	status, err := os.ReadFile(proc + "/status")
	note(err)
	if m := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`).FindSubmatch(status); m != nil {
		kib, _ := strconv.ParseInt(string(m[1]), 10, 64)
		s.RSS = kib << 10
	}
	files, err := os.ReadDir(proc + "/fd")
	note(err)
	s.Files = int64(len(files))
	s.CPU, err = processorTime(proc + "/stat")
	note(err)
	s.Disk, err = diskUse(data)
	note(err)
	s.Metrics, err = readMetrics(client, admin+"/metrics")
	note(err)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return s, nil
}

// processorTime reads user and system time of a process. Linux counts them in hundredths of a second.
func processorTime(file string) (float64, error) {
	stat, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	// Behind the name, which may have blanks in it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: %d fields", file, len(fields))
	}
	user, err := strconv.ParseFloat(string(fields[11]), 64)
	system, err2 := strconv.ParseFloat(string(fields[12]), 64)
	return (user + system) / 100, errors.Join(err, err2)
}

// diskUse returns the bytes of a data folder's files, those of the log by topic. A file that goes while
// it is looked at is none.
func diskUse(data string) (map[string]int64, error) {
	use := map[string]int64{}
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return gone(err)
		}
		info, err := d.Info()
		if err != nil {
			return gone(err)
		}
		rel, err := filepath.Rel(data, path)
		use[partOf(filepath.ToSlash(rel))] += info.Size()
		return err
	})
	return use, err
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var topicDir = regexp.MustCompile(`^broker/partitions/(.+)-\d+/`)

// partOf returns what a file in the data folder belongs to.
func partOf(rel string) string {
	if m := topicDir.FindStringSubmatch(rel); m != nil {
		return m[1]
	}
	first, _, _ := strings.Cut(rel, "/")
	return first
}

// readMetrics reads an address of Prometheus' text format.
func readMetrics(client *http.Client, url string) (map[string]float64, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return parseMetrics(resp.Body)
}

func parseMetrics(r io.Reader) (map[string]float64, error) {
	sums := map[string]float64{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		end := strings.IndexAny(line, "{ ")
		at := strings.LastIndexByte(line, ' ')
		if end < 1 || line[0] == '#' || strings.HasSuffix(line[:end], "_bucket") {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		if math.IsInf(v, 0) || math.IsNaN(v) {
			continue // JSON has none of them
		}
		sums[line[:end]] += v
	}
	return sums, lines.Err()
}
