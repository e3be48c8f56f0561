package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"millrace/cmd/internal/suggest"
	"millrace/internal/smallfile"
)

// configFile is the path of a YAML file. Its keys are names of flags; a key that no command has
// is an error.
//
// Every value becomes the text that would stand behind the flag, so that flag, environment and
// file are read by the same code: a list is joined with commas, a mapping becomes key=value
// joined with semicolons.
type configFile string

// BeforeResolve reads the file, after the command line and before defaults are final.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path, _ := ctx.FlagValue(trace.Flag).(configFile)
	forms := map[string]valueForm{}
	flagForms(ctx.Model.Node, forms)
	values, err := readConfig(string(path), forms)
	if err != nil {
		return fmt.Errorf("config file %s: %w", path, err)
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		text, ok := values[flag.Name]
		if !ok || envSet(flag) {
			return nil, nil
		}
		return text, nil
	}))
	return nil
}

// envSet reports whether the environment sets the flag: kong calls resolvers even then.
func envSet(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, ok := os.LookupEnv(name)
		return ok
	})
}

// valueForm is what a flag takes: one value, a list, or a mapping.
type valueForm int

const (
	oneValue valueForm = iota
	aList
	aMapping
)

// flagForms collects the flags of a command and all below it, without those that make no sense in
// a file.
func flagForms(node *kong.Node, forms map[string]valueForm) {
	for _, f := range node.Flags {
		switch {
		case f.Name == "help" || f.Name == "config" || f.Name == "version":
		case f.IsSlice():
			forms[f.Name] = aList
		case f.IsMap():
			forms[f.Name] = aMapping
		default:
			forms[f.Name] = oneValue
		}
	}
	for _, child := range node.Children {
		flagForms(child, forms)
	}
}

// maxConfig is the most bytes of a config file.
const maxConfig = 1 << 20

func readConfig(path string, known map[string]valueForm) (map[string]string, error) {
	if path == "" {
		return nil, errors.New("the name of the file is empty; leave --config or MILLRACE_CONFIG out, or name one")
	}
	data, err := smallfile.Read(path, maxConfig)
	if err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			err = perr.Err // the path is named already
		}
		return nil, err
	}
	return parseConfig(data, known)
}

// parseConfig returns the text of each key. All unknown keys and unusable values are reported at
// once.
func parseConfig(data []byte, known map[string]valueForm) (map[string]string, error) {
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	err := dec.Decode(&doc)
	if err == nil && !errors.Is(dec.Decode(&second), io.EOF) {
		return nil, errors.New("a second document begins with ---, which would be passed over; the settings are one")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if strings.Contains(err.Error(), "unknown anchor") { // what follows may be a key
			err = errors.New("yaml: a text that begins with * names an anchor that is not there")
		}
		return nil, fmt.Errorf("%w; a list is written in brackets, [a, b], a mapping in braces, {a: b}, and a text with any of these in quotes: \"[::1]:8080\"", err)
	}
	values := map[string]string{}
	if len(doc.Content) == 0 {
		return values, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the file is not a list of \"key: value\"", root.Line)
	}
	var errs []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		form, ok := known[key.Value]
		text, err := configText(value, form)
		switch {
		case !ok:
			near := nearest(strings.ReplaceAll(key.Value, "_", "-"), slices.Collect(maps.Keys(known)))
			errs = append(errs, fmt.Errorf("line %d: unknown key %q%s", key.Line, key.Value, suggest.DidYouMean(near, strconv.Quote)))
		case has(values, key.Value):
			errs = append(errs, fmt.Errorf("line %d: key %q is there twice", key.Line, key.Value))
		case err != nil && isSecret(known, key.Value):
			errs = append(errs, fmt.Errorf("line %d: %s: the value, which is not shown, is not %s", value.Line, key.Value, secretForm(form)))
		case err != nil:
			errs = append(errs, fmt.Errorf("line %d: %s: %w", value.Line, key.Value, err))
		default:
			values[key.Value] = text
		}
	}
	return values, errors.Join(errs...)
}

// secretForm returns how a secret is written.
func secretForm(form valueForm) string {
	if form == aList {
		return "a list of texts without commas and semicolons in brackets: [a, b]"
	}
	return "one text"
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

func configText(n *yaml.Node, form valueForm) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode:
		text, err := scalarText(n)
		if err != nil {
			return "", err
		}
		return text, checkPlain(text, form)
	case n.Kind == yaml.SequenceNode && form == aList:
		return joinTexts(n.Content, ",")
	case n.Kind == yaml.MappingNode && form == aMapping:
		var pairs []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			pair, err := joinTexts(n.Content[i:i+2], "=")
			if err != nil {
				return "", err
			}
			pairs = append(pairs, pair)
		}
		return strings.Join(pairs, ";"), nil
	}
	switch form {
	case aList:
		return "", errors.New("a list is written in brackets: [a, b]")
	case aMapping:
		return "", errors.New("a mapping is written in braces: {a: b}")
	}
	return "", errors.New("is one value, no list and no mapping; a text that begins with a bracket is written in quotes: \"[::1]:8080\"")
}

// checkPlain refuses a text in the place of a list or mapping that was meant to be one: what Unix
// takes for separators are none in a file. One value alone, and the form that flags have, are
// taken.
func checkPlain(text string, form valueForm) error {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' })
	switch {
	case form == aList && len(words) > 1 && strings.ContainsAny(text, " \t;"):
		return fmt.Errorf("a list is written in brackets: [%s]", strings.Join(words, ", "))
	case form == aMapping && !strings.Contains(text, "="):
		if len(words) == 1 {
			words = strings.SplitN(text, ":", 2)
		}
		if len(words) == 2 {
			return fmt.Errorf("a mapping is written in braces: {%s: %s}", strings.TrimSuffix(words[0], ":"), words[1])
		}
		return errors.New("a mapping is written in braces: {a: b}")
	}
	return nil
}

func joinTexts(nodes []*yaml.Node, sep string) (string, error) {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		if n.Kind != yaml.ScalarNode {
			return "", errors.New("a list or mapping within another")
		}
		text, err := scalarText(n)
		if err != nil {
			return "", err
		}
		if strings.ContainsAny(text, ",;") {
			return "", fmt.Errorf("%q holds a comma or semicolon", text)
		}
		texts[i] = text
	}
	return strings.Join(texts, sep), nil
}

func scalarText(n *yaml.Node) (string, error) {
	if n.Tag == "!!null" {
		return "", errors.New("has no value")
	}
	return n.Value, nil
}
