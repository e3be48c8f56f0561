package disaster

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// page is docs/disaster.md.
const page = "../../../docs/disaster.md"

// section is a part of the page: its title and its blocks of commands.
type section struct {
	title string
	run   []bool // whether a test has run the block
	block []string
}

var (
	readOnce sync.Once
	sections []*section
	errPage  error
)

// titles are what is played, in the order of the page. That each has its test is held by TestTitles.
var titles = []string{
	"The engine's state is lost",
	"The rollup store is lost",
	"A collector's disk is lost while Kafka is away",
	"The archive is lost",
	"Objects of the archive are lost or damaged",
	"The machine is lost, its folder was copied",
	"The machine is lost, its archive was copied",
	"The machine is lost, its archive is in a bucket",
	"The clock was hours ahead",
	"The time zone is wrong",
	"A release counts wrong",
	"The bucket is lost",
	"Hits are lost, or which there are",
	"InfluxDB is lost",
	"A broker is lost",
	"Kafka is lost, or its topics",
}

// pageSections reads the page once for all tests.
func pageSections(t *testing.T) []*section {
	t.Helper()
	readOnce.Do(func() {
		text, err := os.ReadFile(page)
		if err != nil {
			errPage = err
			return
		}
		sections = parse(string(text))
	})
	if errPage != nil {
		t.Fatal(errPage)
	}
	return sections
}

// parse returns the sections of a page. A block of commands is a run of lines that are indented by
// four spaces; a line that ends in a backslash goes on in the next one. A block whose first line
// begins with "$ " shows output, and is none of them.
func parse(text string) []*section {
	var out []*section
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		title, heading := strings.CutPrefix(line, "### ")
		command, indented := strings.CutPrefix(line, "    ")
		switch {
		case heading:
			out = append(out, &section{title: title})
		case indented && len(out) > 0:
			s := out[len(out)-1]
			if !open {
				s.block = append(s.block, "")
			}
			s.block[len(s.block)-1] += command + "\n"
		}
		open = indented
	}
	for _, s := range out {
		s.block = slices.DeleteFunc(s.block, func(b string) bool { return strings.HasPrefix(b, "$ ") })
		s.run = make([]bool, len(s.block))
	}
	return out
}

// TestPage: each section has a test, each test a section, and each has both figures in the table.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, " | "); len(cells) >= 3 && strings.HasPrefix(line, "| [") {
			name, _, _ := strings.Cut(strings.TrimPrefix(cells[0], "| ["), "]")
			table[name] = true
		}
	}
	known := map[string]bool{}
	for _, title := range titles {
		known[title] = true
	}
	for _, s := range pageSections(t) {
		if !known[s.title] {
			t.Errorf("no test plays %q", s.title)
		}
		if !table[s.title] {
			t.Errorf("%q has no row in the table", s.title)
		}
		if len(s.block) == 0 {
			t.Errorf("%q has no commands", s.title)
		}
		delete(known, s.title)
	}
	for title := range known {
		t.Errorf("the page has no section %q", title)
	}
}

// TestParse: what a block of commands is.
func TestParse(t *testing.T) {
	got := ""
	for _, s := range parse("# T\n\n    none\n\n### A\n\ntext\n\n    one \\\n      two\n    three\n\n    $ shown\n    out\n\n### B\n    four\n") {
		got += fmt.Sprintf("%s %q %v\n", s.title, s.block, s.run)
	}
	want := "A [\"one \\\\\\n  two\\nthree\\n\"] [false]\nB [\"four\\n\"] [false]\n"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
