package kafka

import (
	"fmt"
	"regexp"
)

// Names are what topics and groups are called in a cluster. The zero value calls them as the
// packages do that declare them.
type Names struct {
	// Prefix goes before each name, so that several installations share a cluster (--topic-prefix).
	Prefix string
}

// Of returns the name in the cluster of a topic or group.
func (n Names) Of(name string) string { return n.Prefix + name }

// mostPrefix bounds a prefix: Kafka takes names of 249 characters, and the longest of ours has 21.
const mostPrefix = 100

// prefixForm matches prefixes of names that Kafka takes, with something at the end that keeps
// "staging" and "staging2" apart where rights are given by prefix.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*[._-]$`)

// Validate returns what is wrong with the prefix, in the words of the flag.
func (n Names) Validate() error {
	switch {
	case n.Prefix == "":
		return nil
	case len(n.Prefix) > mostPrefix:
		return fmt.Errorf("--topic-prefix: %d characters are more than %d", len(n.Prefix), mostPrefix)
	case !prefixForm.MatchString(n.Prefix):
		return fmt.Errorf("--topic-prefix: %q is not letters, digits, '.', '_' and '-' that begin with a letter or digit and end with one of the others, such as \"staging.\"", n.Prefix)
	}
	return nil
}

// Described returns the prefix for people.
func (n Names) Described() string {
	if n.Prefix == "" {
		return "no --topic-prefix"
	}
	return "--topic-prefix " + n.Prefix
}
