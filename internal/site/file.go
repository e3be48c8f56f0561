package site

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Example is a file of sites with every field.
//
//go:embed example.yaml
var Example string

const (
	// maxFileBytes is the longest file of sites: some ten thousand sites.
	maxFileBytes = 16 << 20
	// mostFindings is how many findings of a file are shown.
	mostFindings = 20
)

// FileError is what is wrong with a file of sites.
type FileError struct {
	// Path is the path of the file as it was given.
	Path string
	// Findings are in the order of the file, and not empty.
	Findings []Finding
}

// Finding is something that is wrong with a file of sites. It never has a part of a key.
type Finding struct {
	// Line and Column begin with 1; 0 is not known.
	Line, Column int
	Text         string
}

// Error returns a line for each finding, PATH:LINE:COLUMN: TEXT, as far as there are not too many.
func (e *FileError) Error() string {
	var lines []string
	for _, f := range e.Findings[:min(len(e.Findings), mostFindings)] {
		where := e.Path
		for _, n := range []int{f.Line, f.Column} {
			if n > 0 {
				where += ":" + strconv.Itoa(n)
			}
		}
		lines = append(lines, where+": "+f.Text)
	}
	if more := len(e.Findings) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d more findings", e.Path, more))
	}
	return strings.Join(lines, "\n")
}

// fileReader reads a file of sites.
type fileReader struct {
	sites *Sites
	// keyFile returns the content of a file of keys by its name in the file of sites; nil: files
	// of keys are not read.
	keyFile  func(name string) ([]byte, error)
	filters  func(filters []any) error // Config.Filters
	aliases  map[string]alias
	zones    map[string]*time.Location // that were loaded: many sites have the same few
	findings []Finding
}

// alias is what another tracker names a site by.
type alias struct {
	site string
	node *yaml.Node
}

// read reads the content of a file into sites, or returns what is wrong with it.
func (r *fileReader) read(text []byte) []Finding {
	r.aliases, r.zones = map[string]alias{}, map[string]*time.Location{}
	if bad := notText(text); bad != nil {
		return []Finding{*bad}
	}
	if root := r.document(text); root != nil {
		r.file(root)
	}
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return r.findings
}

var (
	// yamlLine is how the YAML decoder begins its errors. No line is the first one.
	yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// yamlBefore are the errors in which it names the line before.
	yamlBefore = regexp.MustCompile(`^did not find expected (?:<|node|',|'-|key)`)
)

// document returns the mapping that the file is, nil if it is none.
func (r *fileReader) document(text []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.findings = append(r.findings, Finding{Text: "the file is empty; it has at least: any_site: true, or sites: {shop.example.com: {}}"})
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		r.at(&second, "a second document begins; a file of sites is one")
		return nil
	case !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil
	}
	if !r.plain(&doc) {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		r.at(root, "want the keys %s, this is %s", strings.Join(topFields, ", "), nodeName(root))
		return nil
	}
	return root
}

// notText finds the first byte that no text has.
func notText(text []byte) *Finding {
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		what := ""
		switch {
		case c == utf8.RuneError && n == 1:
			what = "is not UTF-8"
		case c < 0x20 && c != '\n' && c != '\r' && c != '\t':
			what = "is a control character"
		}
		if what != "" {
			begin := bytes.LastIndexByte(text[:i], '\n') + 1
			return &Finding{1 + bytes.Count(text[:i], []byte{'\n'}), 1 + utf8.RuneCount(text[begin:i]), fmt.Sprintf("not text: the byte 0x%02x %s", text[i], what)}
		}
		i += n
	}
	return nil
}

func (r *fileReader) syntax(err error) {
	text, f := err.Error(), Finding{Line: 1}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if line, err := strconv.Atoi(m[1]); err == nil {
			f.Line = line
			if yamlBefore.MatchString(text) {
				f.Line++
			}
		}
	}
	if strings.HasPrefix(text, "unknown anchor") { // what follows may be a key
		text = "a text that begins with * names an anchor that is not there"
	}
	f.Text = "not YAML: " + text + "; a list is written in brackets, [a, b], a mapping in braces, {a: b}, and a text with any of these, " +
		"or with \": \" or \" #\", in quotes"
	r.findings = append(r.findings, f)
}

// plain finds anchors and aliases of YAML, of which a small file can make a very large one.
func (r *fileReader) plain(n *yaml.Node) bool {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		r.at(n, "anchors (&name, *name) are not supported; write the value where it belongs, or under defaults; a text that begins with & or * is written in quotes")
		return false
	}
	return !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !r.plain(c) })
}

// at adds a finding at the beginning of a node.
func (r *fileReader) at(n *yaml.Node, format string, args ...any) {
	r.findings = append(r.findings, Finding{n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// field is what reads the value of a key; path names it in findings.
type field func(n *yaml.Node, path string)

// mapping calls the field of each key of a mapping. What has no field is a finding. Path names the
// mapping, "" is the file itself; names are those of the fields, for findings.
func (r *fileReader) mapping(n *yaml.Node, path string, names []string, fields map[string]field) {
	r.pairs(n, path, func(key, value *yaml.Node, path string) {
		read, ok := fields[key.Value]
		instead, known := unsupported[plainName(key.Value)]
		switch {
		case ok && isNull(value):
			r.at(key, "%s: has no value; write one, or leave the key out", path)
		case ok:
			read(value, path)
		case known && instead != "":
			r.at(key, "%s: not supported here; %s", path, instead)
		case known:
			r.at(key, "%s: not supported; this version obeys %s", path, strings.Join(names, ", "))
		default:
			r.at(key, "%s: unknown key%s", path, meant(key.Value, names))
		}
	})
}

// pairs calls fn for each pair of a mapping whose key is a text that is there once. Path is that of
// the mapping, and fn's that of the value.
func (r *fileReader) pairs(n *yaml.Node, path string, fn func(key, value *yaml.Node, path string)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		inner := key.Value
		if path != "" {
			inner = path + "." + inner
		}
		line, twice := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.at(key, "%s: want a key, this is %s", path, nodeName(key))
			continue
		case twice:
			r.at(key, "%s: is there twice, first in line %d; put both together, or remove one", inner, line)
			continue
		}
		seen[key.Value] = key.Line
		fn(key, value, inner)
	}
}

// unsupported are keys that a reader of the documentation of others may expect, as plainName has
// them, with what to do instead; "" is nothing.
var unsupported = map[string]string{
	"salt": "", "name": "", "domains": "",
	"rate": "--site-rate is the same for all sites", "siterate": "--site-rate is the same for all sites",
	"trailingslash": "it is a key of spelling", "case": "it is a key of spelling", "indexpages": "it is a key of spelling",
}

// plainName returns a key without what it may be spelled with.
func plainName(key string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(key))
}

// synonyms are the fields by keys that are likely in their place, as plainName has them.
var synonyms = map[string]string{
	"identitymode": "identity", "visitors": "identity", "consent": "objections", "gpc": "honour_dnt",
	"timezone": "time_zone", "tz": "time_zone", "zone": "time_zone", "dnt": "honour_dnt", "honordnt": "honour_dnt", "alias": "aliases", "tokens": "aliases",
	"token": "aliases", "ids": "aliases", "goal": "goals", "conversions": "goals", "shard": "shards", "parts": "shards", "writekey": "write_keys", "querykey": "query_keys",
	"keys": "write_keys", "default": "defaults", "site": "sites", "quotas": "quota", "segment": "segments", "filter": "filters", "limit": "quota", "keep": "retention", "retentiondays": "retention", "expire": "retention", "excludedips": "excluded_addresses", "excludeaddresses": "excluded_addresses", "exclude": "excluded_paths",
	"excludepaths": "excluded_paths", "allowedorigins": "origins", "allowedhostnames": "hostnames", "hosts": "hostnames", "paths": "spelling", "any": "any_site", "anysites": "any_site", "allowany": "any_site", "url": "page", "path": "page",
}

// meant returns what is to be written in place of an unknown key.
func meant(key string, names []string) string {
	plain := plainName(key)
	for _, name := range names {
		if plainName(name) == plain || plainName(name) == plain+"s" || synonyms[plain] == name {
			return "; write " + name
		}
	}
	return "; there are " + strings.Join(names, ", ")
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// nodeName names a value in findings. Values of keys are named by nodeKind.
func nodeName(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return fmt.Sprintf("%s %.60q", nodeKind(n), n.Value)
	}
	return nodeKind(n)
}

func nodeKind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case isNull(n):
		return "no value"
	}
	switch n.ShortTag() {
	case "!!str":
		return "the text"
	case "!!int", "!!float":
		return "the number"
	case "!!bool":
		return "the truth value"
	case "!!timestamp":
		return "the date"
	}
	return "a value of another type," // a tag of its own
}
