package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/suggest"
)

const variablePrefix = "MILLRACE_"

// checkEnvironment refuses variables that begin with MILLRACE_ and that no flag of any command
// reads: as unknown keys of the config file, they are settings that would be ignored. A variable
// of another command is fine, so that serve, replay and import can share an environment. All
// findings are reported at once. The command version takes no settings, so that none can be
// wrong.
func checkEnvironment(model, selected *kong.Node, environ []string) error {
	if selected != nil && selected.Name == "version" {
		return nil
	}
	flags := map[string]string{} // names of flags by variable
	collectVariables(model, flags)
	var errs []error
	for _, setting := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(setting, "=")
		if !strings.HasPrefix(name, variablePrefix) || flags[name] != "" || cli.ReservedVariable(name, value) {
			continue
		}
		if word := strings.TrimPrefix(name, variablePrefix); word == "VERSION" || word == "HELP" {
			errs = append(errs, fmt.Errorf("environment: there is no variable %s; write millrace --%s", name, strings.ToLower(word)))
			continue
		}
		word := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, variablePrefix), "_", "-"))
		// What the command has comes first, then what serve has: most variables are meant for that.
		near := nearest(word, commandFlags(selected))
		for _, others := range [][]string{commandFlags(model.Children[0]), slices.Collect(maps.Values(flags))} {
			if len(near) == 0 {
				near = nearest(word, others)
			}
		}
		errs = append(errs, fmt.Errorf("environment: there is no variable %s%s", name, suggest.DidYouMean(near, settingOf)))
	}
	return errors.Join(errs...)
}

func variableOf(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settingOf is the variable that stands for a flag; a flag that negates has none of its own.
func settingOf(flag string) string {
	if switched, ok := strings.CutPrefix(flag, "no-"); ok {
		return variableOf(switched) + "=false"
	}
	return variableOf(flag)
}

func collectVariables(node *kong.Node, flags map[string]string) {
	for _, f := range node.Flags {
		for _, name := range f.Envs {
			flags[name] = f.Name
		}
	}
	for _, child := range node.Children {
		collectVariables(child, flags)
	}
}
