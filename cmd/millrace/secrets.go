package main

import (
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"millrace/internal/secretfile"
)

// Secrets are keys, the secret of visitor ids, and URLs with a password. Each has a second flag
// with -file behind its name, which holds the path of a file with the value; so have its
// environment variable (MILLRACE_SECRET_FILE) and its key in the config file. Files keep them
// better: every user of the machine can read the arguments of a process.
//
// The convention is that of the images of databases (POSTGRES_PASSWORD_FILE), so that the secrets
// of Docker and Kubernetes need no shell around serve. A mark within the value (@path) would not
// do: KEY@site and file:/// have a meaning already.

// fileSuffix makes the name of the flag that holds the path.
const fileSuffix = "-file"

// isSecret reports whether a flag's value is a secret. --sites-file is no file with values of
// --sites.
func isSecret[V any](flags map[string]V, name string) bool {
	return name != "sites" && has(flags, name+fileSuffix)
}

// readSecretFiles puts the contents of files into the flags that they stand for. Errors name flag
// and file, never what is in it.
func readSecretFiles(flags []*kong.Flag, log *slog.Logger) error {
	byName := map[string]*kong.Flag{}
	for _, f := range flags {
		byName[f.Name] = f
	}
	var errs []error
	for _, file := range flags {
		name := strings.TrimSuffix(file.Name, fileSuffix)
		value := byName[name]
		if name == file.Name || value == nil || !isSecret(byName, name) || file.Target.String() == "" {
			continue
		}
		path := file.Target.String()
		if !value.Target.IsZero() {
			errs = append(errs, usagef("--%s and --%s are both given (flag, environment or config file); give one", name, file.Name))
			continue
		}
		lines, err := secretfile.Read(path, value.Target.Kind() == reflect.Slice)
		if err != nil {
			errs = append(errs, usagef("--%s: read %s: %w", file.Name, path, err))
			continue
		}
		if value.Target.Kind() == reflect.Slice {
			value.Target.Set(reflect.ValueOf(lines))
		} else {
			value.Target.SetString(lines[0])
		}
		if info, err := os.Stat(path); err == nil && secretfile.ReadableByOthers(info) {
			log.Warn("a file of secrets can be read by all users of this machine: chmod o-rwx", "flag", "--"+file.Name, "file", path)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return usagef("%w", errors.Join(errs...))
}

// givesSecret reports whether a command line has a flag whose value is a secret.
func givesSecret(model *kong.Node, args []string) bool {
	known := map[string]valueForm{}
	flagForms(model, known)
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "--") && isSecret(known, name) {
			return true
		}
	}
	return false
}
