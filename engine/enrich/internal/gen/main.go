// Command gen turns the patterns of crawler-user-agents into the literals of package enrich.
//
//	python3 -m venv venv && venv/bin/pip install crawler-user-agents==1.60.0 device-detector==6.5.1 PyYAML==6.0.3
//	venv/bin/python engine/enrich/internal/gen/agents.py agents
//	go run ./engine/enrich/internal/gen agents engine/enrich
//
// agents.py writes the list and user agents of people and of crawlers, from the two packages, into
// a folder; they are in no file of this repository. The second argument is the folder of
// crawlers.go and of testdata/people.txt, user agents of people that the corpus lacks.
//
// Each literal is tried on the user agents of people, with the device in them. One that any has is
// made longer by what is around it in the crawlers' own user agents, or is dropped; see narrow.
//
// Nearly all patterns are literals, and nearly all others stand for a handful of them. Without
// regular expressions a user agent costs the same whatever it holds, so nobody can slow a partition
// down by sending strange ones.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"io"
	"os"
	"path/filepath"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "usage: gen AGENTS FACTS: the folder that agents.py wrote and the one of package enrich")
		return 2
	}
	if err := generate(args[0], args[1], stderr); err != nil {
		fmt.Fprintln(stderr, "gen:", err)
		return 1
	}
	return 0
}

// Marks of the beginning and the end of a user agent, as package enrich has them.
const begin, end = "\x02", "\x03"

// reasons maps tags to the constants of package enrich. An entry with several tags gets the first of
// this list: what a program is says more than whom it serves.
var reasons = []struct{ tag, reason string }{
	{"http-library", "reasonLibrary"},
	{"browser-automation", "reasonAutomation"},
	{"feed-reader", "reasonFeed"},
	{"social-preview", "reasonPreview"},
	{"search-engine", "reasonSearch"},
	{"ai-crawler", "reasonAI"},
	{"scanner", "reasonScanner"},
	{"monitoring", "reasonMonitoring"},
	{"archiver", "reasonArchiver"},
	{"academic", "reasonResearch"},
	{"advertising", "reasonAdvertising"},
}

// byHand has the patterns that stand for endlessly many strings, and what is looked for in their
// place.
var byHand = map[string][]string{
	`AdsBot-Google([^-]|$)`:             {"AdsBot-Google"},
	`BlogTraffic\/\d\.\d+ Feed-Fetcher`: {"BlogTraffic/"},
	`ContextualBot[\s\S]*outcomes\.net`: {"ContextualBot"},
	`Current[\s\S]*RSS Reader`:          {"RSS Reader"},
	`Spider[\s\S]*spider\.com`:          {"spider.com"},
	`(sistrix|SISTRIX) [cC]rawler`:      {"sistrix ", "SISTRIX "},
	`Sonic`:                             {"RankSonic", " Sonic/"},
	`coccoc`:                            {begin + "coccoc", "coccoc/", "coccocbot"},                                                                                                         // Chrome/41.0.2272.119coccoc is a browser
	`Sogou`:                             {"Sogou web spider", "Sogou inst spider", "Sogou Pic Spider", "Sogou News Spider", "Sogou head spider", "Sogou-Test-Spider", "Sogou Orion spider"}, // SogouMobileBrowser is a browser
}

type entry struct {
	Pattern   string   `json:"pattern"`
	Tags      []string `json:"tags"`
	Instances []string `json:"instances"`
}

func generate(agents, facts string, stderr io.Writer) error {
	from := filepath.Join(agents, "crawler-user-agents.json")
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return fmt.Errorf("read %q: %w", from, err)
	}
	people, err := readPeople(filepath.Join(agents, "people.txt"), filepath.Join(agents, "apps.txt"), filepath.Join(facts, "testdata", "people.txt"))
	if err != nil {
		return err
	}
	lines := make(map[string]string)
	for _, e := range entries {
		literals, err := literalsOf(e.Pattern)
		if err != nil {
			return err
		}
		for _, l := range literals {
			for _, l := range narrow(l, e.Instances, people, stderr) {
				if _, ok := lines[l]; !ok {
					lines[l] = reasonOf(e.Tags)
				}
			}
		}
	}
	to := filepath.Join(facts, "crawlers.go")
	src, err := format.Source(render(lines))
	if err != nil {
		return fmt.Errorf("format %q: %w", to, err)
	}
	return os.WriteFile(to, src, 0o644)
}

func reasonOf(tags []string) string {
	for _, r := range reasons {
		if slices.Contains(tags, r.tag) {
			return r.reason
		}
	}
	return "reasonCrawler"
}

func literalsOf(pattern string) ([]string, error) {
	if l, ok := byHand[pattern]; ok {
		return l, nil
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	out, ok := expand(re)
	if !ok {
		return nil, fmt.Errorf("pattern %q stands for too many strings: add it to byHand", pattern)
	}
	for _, l := range out {
		if len(strings.Trim(l, begin+end)) < 3 {
			return nil, fmt.Errorf("pattern %q would match nearly everything", pattern)
		}
	}
	return out, nil
}

// expand returns the strings that a regular expression matches, if they are few.
func expand(re *syntax.Regexp) ([]string, bool) {
	const most = 16
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpBeginText:
		return []string{begin}, true
	case syntax.OpEndText:
		return []string{end}, true
	case syntax.OpLiteral:
		return expandLiteral(re)
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if out = append(out, string(r)); len(out) > most {
					return nil, false
				}
			}
		}
		return out, true
	case syntax.OpCapture:
		return expand(re.Sub[0])
	case syntax.OpQuest:
		out, ok := expand(re.Sub[0])
		return append(out, ""), ok
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			s, ok := expand(sub)
			if !ok {
				return nil, false
			}
			out = append(out, s...)
		}
		return out, len(out) <= most
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			tails, ok := expand(sub)
			if !ok || len(out)*len(tails) > most {
				return nil, false
			}
			var longer []string
			for _, head := range out {
				for _, tail := range tails {
					longer = append(longer, head+tail)
				}
			}
			out = longer
		}
		return out, true
	}
	return nil, false
}

// expandLiteral is expand for a literal: the parser makes [wW] a literal that matches in both
// cases.
func expandLiteral(re *syntax.Regexp) ([]string, bool) {
	if re.Flags&syntax.FoldCase == 0 {
		return []string{string(re.Rune)}, true
	}
	out := []string{""}
	for _, r := range re.Rune {
		var longer []string
		for _, head := range out {
			longer = append(longer, head+string(unicode.ToLower(r)))
			if unicode.ToUpper(r) != unicode.ToLower(r) {
				longer = append(longer, head+string(unicode.ToUpper(r)))
			}
		}
		out = longer
	}
	return out, len(out) <= 16
}

func render(lines map[string]string) []byte {
	literals := make([]string, 0, len(lines))
	for l := range lines {
		literals = append(literals, l)
	}
	slices.Sort(literals)
	var b bytes.Buffer
	b.WriteString(`// Code generated by engine/enrich/internal/gen from crawler-user-agents 1.60.0. DO NOT EDIT.
//
// The patterns are copyright (c) 2017 Martin Monperrus, MIT licence: see NOTICE in this folder.

package enrich

// crawlers are the literals by which programs that are no browsers are known, in lexical order.
var crawlers = [...]crawler{
`)
	for _, l := range literals {
		fmt.Fprintf(&b, "{%q, %s},\n", l, lines[l])
	}
	b.WriteString("}\n")
	return b.Bytes()
}
