package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// readPeople returns the user agents of people in some files, one a line, with the marks around
// them. Lines that begin with "#" are comments.
func readPeople(files ...string) ([]string, error) {
	var people []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		before := len(people)
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				people = append(people, begin+line+end)
			}
		}
		if len(people) == before {
			return nil, fmt.Errorf("%q has no user agent", file)
		}
	}
	return people, nil
}

// maxContext is the most bytes that narrow adds to a literal on one side.
const maxContext = 3

// narrow returns what is looked for in place of a literal: itself if no person's user agent has it.
// Else the shortest longer literals that none has, made of what is before and behind it in the
// crawlers' own user agents: "Butterfly/" in place of "Butterfly". None if there are none: what
// crawlers and people have alike is no sign of a crawler.
func narrow(literal string, instances, people []string, report io.Writer) []string {
	hit := hits([]string{literal}, people)
	if hit == "" {
		return []string{literal}
	}
	for sum := 1; sum <= 2*maxContext; sum++ {
		for left := min(sum, maxContext); left >= max(0, sum-maxContext); left-- {
			longer := inContext(literal, instances, left, sum-left)
			if len(longer) > 0 && hits(longer, people) == "" {
				fmt.Fprintf(report, "gen: %q is looked for as %q: %s\n", literal, longer, strings.Trim(hit, begin+end))
				return longer
			}
		}
	}
	fmt.Fprintf(report, "gen: %q is dropped: %s\n", literal, strings.Trim(hit, begin+end))
	return nil
}

// hits returns a user agent of people that has one of the literals, "" if there is none.
func hits(literals, people []string) string {
	i := slices.IndexFunc(people, func(ua string) bool {
		return slices.ContainsFunc(literals, func(l string) bool { return strings.Contains(ua, l) })
	})
	if i < 0 {
		return ""
	}
	return people[i]
}

// inContext returns a literal with some bytes before and behind it, as the instances have them.
// None if an instance has not so many, or a letter or digit at an end that is added: such are parts
// of other words and of versions.
func inContext(literal string, instances []string, before, behind int) []string {
	var out []string
	for _, ua := range instances {
		ua = begin + ua + end
		i := strings.Index(ua, literal)
		if i < 0 {
			continue // an instance of another literal of the pattern
		}
		from, to := i-before, i+len(literal)+behind
		if from < 0 || to > len(ua) {
			return nil
		}
		longer := ua[from:to]
		if before > 0 && isWord(longer[0]) || behind > 0 && isWord(longer[len(longer)-1]) {
			return nil
		}
		if !slices.Contains(out, longer) {
			out = append(out, longer)
		}
	}
	return out
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
