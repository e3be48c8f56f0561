package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is the path of a YAML file. Its keys are names of flags; a key that no command has is an error.
//
// Every value becomes the text that would stand behind the flag, so that flag, environment and file are read by the
// same code: a list is joined with commas, a mapping becomes key=value joined with semicolons.
type configFile string

// BeforeResolve reads the file, after the command line and before defaults are final.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path, _ := ctx.FlagValue(trace.Flag).(configFile)
	values, err := readConfig(string(path), flagNames(ctx.Model.Node))
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

// envSet tells whether the environment sets the flag: kong asks resolvers even then.
func envSet(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, ok := os.LookupEnv(name)
		return ok
	})
}

// flagNames are the names of the flags of a command and all below it, without those that make no sense in a file.
func flagNames(node *kong.Node) []string {
	var names []string
	for _, f := range node.Flags {
		if f.Name != "help" && f.Name != "config" {
			names = append(names, f.Name)
		}
	}
	for _, child := range node.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}

func readConfig(path string, known []string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			err = perr.Err // the path is named already
		}
		return nil, err
	}
	return parseConfig(data, known)
}

// parseConfig returns the text of each key. All unknown keys and unusable values are reported at once.
func parseConfig(data []byte, known []string) (map[string]string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
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
		text, err := configText(value)
		switch {
		case !slices.Contains(known, key.Value):
			errs = append(errs, fmt.Errorf("line %d: unknown key %q", key.Line, key.Value))
		case has(values, key.Value):
			errs = append(errs, fmt.Errorf("line %d: key %q is there twice", key.Line, key.Value))
		case err != nil:
			errs = append(errs, fmt.Errorf("line %d: %s: %w", value.Line, key.Value, err))
		default:
			values[key.Value] = text
		}
	}
	return values, errors.Join(errs...)
}

func has(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

func configText(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return scalarText(n)
	case yaml.SequenceNode:
		return joinTexts(n.Content, ",")
	case yaml.MappingNode:
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
	return "", errors.New("neither a text, a list nor a mapping")
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
