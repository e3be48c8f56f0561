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

// synonyms returns what other programs call our flags, by the name they use. Names that differ from
// ours by a letter or two need no entry.
func synonyms() map[string]string {
	names := map[string]string{}
	for ours, theirs := range map[string]string{
		"listen": "port http-port host hostname bind bind-address bind-addr address addr http http-addr http-address http-listen " +
			"listen-port listen-host listen-address listen-addr listen-on server-port server-address web.listen-address interface p",
		"admin": "admin-port admin-listen admin-address metrics metrics-port metrics-listen metrics-address health health-port management-port",
		"data": "dir directory folder path data-dir datadir data-path data-folder data-directory storage storage-path storage-dir " +
			"store-dir work-dir workdir state-dir db-path home d",
		"config": "config-file configfile config-path conf conf-file cfg settings c f",
		"kafka": "broker brokers kafka-broker kafka-brokers broker-list bootstrap bootstrap-server bootstrap-servers " +
			"kafka-bootstrap-servers kafka-servers kafka-address kafka-addr kafka-url kafka-host seed-brokers",
		"kafka-sasl":   "sasl sasl-mechanism sasl-mechanisms sasl.mechanism sasl.mechanisms kafka-sasl-mechanism security-protocol security.protocol",
		"kafka-user":   "kafka-username sasl-username sasl.username sasl-user kafka-client-id client-id",
		"kafka-tls-ca": "kafka-ca ssl.ca.location ssl-ca tls-ca ca-file cacert kafka-tls-ca-file kafka-ca-file",
		"s3": "bucket s3-bucket s3-url s3-uri s3-endpoint s3-address bucket-url object-store object-storage " +
			"lake archive archive-url minio gcs",
		"influx": "influxdb influx-url influx-address influx-host influxdb-url influxdb-host influxdb-address influx-addr " +
			"database database-url db tsdb",
		"sites":           "domain domains site site-id site-ids websites allowed-sites allowed-domains",
		"time-zone":       "timezone time_zone tz zone default-time-zone default-timezone",
		"site-time-zones": "site-timezones sites-time-zones timezones time-zones site-time-zone site-timezone",
		"query-keys":      "api-key api-keys apikey apikeys auth-token auth-tokens token tokens read-key read-keys api-token api-tokens",
		"write-keys":      "ingest-key ingest-keys ingest-token send-keys",
		"log-level":       "loglevel level verbosity verbose debug quiet log-lvl",
		"log-format":      "logformat log-json json-logs log-type",
		"geo-mmdb": "geo geoip geoip-db geoip-database geo-db geodb geo-file mmdb maxmind maxmind-db geolite geolite2 " +
			"city-db geoip2 geo-database",
		"public-url":      "base-url baseurl url external-url root-url site-url server-url public-address public-host web.external-url",
		"trusted-proxies": "proxy proxies trust-proxy trust-proxies proxy-ips behind-proxy real-ip-from",
		"secret":          "salt secret-key secret-key-base",
		"shards":          "site-shards num-shards",
		"honour-dnt":      "dnt do-not-track respect-dnt gpc",
		"partitions":      "num-partitions partition-count kafka-partitions",
		"topic-prefix":    "prefix kafka-prefix kafka-topic-prefix topics-prefix namespace kafka-namespace group-prefix kafka-group-prefix",
		"replication":     "replicas replication-factor kafka-replication",
		"retention":       "retention-time retention-period kafka-retention keep",
		"max-body":        "body-limit max-body-size max-request-size client-max-body-size",
		"lateness":        "allowed-lateness max-lateness",
		"archive-every":   "flush-interval archive-interval flush-every archive-flush",
		"linger":          "batch-timeout batch-wait linger-ms",
		"goals":           "goal goals-file goal-file",
		"from":            "start since begin after start-time start-date",
		"to":              "end until before stop end-time end-date",
		"dry-run":         "dry dryrun simulate noop n",
		"verify":          "check validate test",
		"roles":           "role mode modes component components target",
		"demo":            "example examples sample fake",
		"format":          "type input-format",
		"site-rate":       "rate rate-limit limit",
		"country-header":  "geo-header country-hdr",
	} {
		for _, name := range strings.Fields(theirs) {
			names[name] = ours
		}
	}
	return names
}

// nearest returns those names that may have been meant by word: the one that the table of
// synonyms has, else those that are closest.
func nearest(word string, names []string) []string {
	if ours := synonyms()[word]; ours != "" && slices.Contains(names, ours) {
		return []string{ours}
	}
	return suggest.Nearest(word, names)
}

// explainParse returns what an unknown flag or command may have been meant as. Kong's own hints
// go by beginnings and two letters alone.
func explainParse(model *kong.Node, err error) error {
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	selected := model
	if parse.Context != nil && parse.Context.Selected() != nil {
		selected = parse.Context.Selected()
	}
	text := err.Error()
	if word, ok := strings.CutPrefix(text, "unknown flag "); ok {
		word, _, _ = strings.Cut(word, ",")
		return fmt.Errorf("unknown flag %s%s", word, flagHint(model, selected, meantFlag(parse, word)))
	}
	if word, ok := strings.CutPrefix(text, "unexpected argument "); ok {
		word, _, _ = strings.Cut(word, ",")
		secret := parse.Context != nil && givesSecret(model, parse.Context.Args)
		return fmt.Errorf("unexpected argument %s%s", shownArgument(selected, word, secret), argumentHint(selected, word))
	}
	known := map[string]valueForm{}
	flagForms(model, known)
	for _, f := range selected.AllFlags(false) {
		for _, f := range f {
			if strings.HasPrefix(text, "--"+f.Name+": expected ") && isSecret(known, f.Name) {
				return fmt.Errorf(`--%s: the value is missing, or it begins with "-": write --%s=VALUE`, f.Name, f.Name)
			}
			if strings.HasPrefix(text, "--"+f.Name+": ") {
				if err := explainMapping(text, f.PlaceHolder); err != nil {
					return err
				}
			}
		}
	}
	return err
}

// meantFlag returns the name that an unknown flag may have been meant as: "-listen", of which Kong
// names the first letter, and "--LISTEN" are "listen".
func meantFlag(parse *kong.ParseError, word string) string {
	name := strings.TrimLeft(word, "-")
	if len(word) == 2 && parse.Context != nil {
		i := slices.IndexFunc(parse.Context.Args, func(arg string) bool { return strings.HasPrefix(arg, word) && len(arg) > 3 })
		if i >= 0 {
			name, _, _ = strings.Cut(parse.Context.Args[i][1:], "=")
		}
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

// explainMapping puts the names that the flag's help has into Kong's errors about a mapping
// without "=", and with a value that is none.
func explainMapping(text, placeholder string) error {
	flag, _, _ := strings.Cut(text, ":")
	for _, form := range []string{`expected "<key>=<value>" but got `, "invalid map value "} {
		if _, got, ok := strings.Cut(text, form); ok {
			return fmt.Errorf("%s: %s is not %s; between two of them there is a semicolon", flag, got, partOf(placeholder, form))
		}
	}
	return nil
}

// partOf returns what of SITE=N is missing or wrong.
func partOf(placeholder, form string) string {
	if _, value, ok := strings.Cut(placeholder, "="); ok && strings.HasPrefix(form, "invalid") {
		return "the " + value + " of " + placeholder
	}
	return placeholder
}

// shownArgument returns an argument that no command takes as errors show it: a word that is or
// may be meant as a command, or as the value of a switch. Any other may be a secret whose flag is
// missing.
func shownArgument(selected *kong.Node, word string, secret bool) string {
	switch {
	case secret:
		return "(not shown: it may be part of a secret; between two keys there is a comma and no blank)"
	case slices.Contains([]string{"help", "true", "false", "yes", "no", "on", "off"}, word),
		strings.Contains(argumentHint(selected, word), "did you mean"):
		return word
	}
	return "(not shown: it may be a secret)"
}

// joinNegative writes "--drain -1s" as "--drain=-1s": a number is no flag, and the flag that it
// is meant for knows which numbers are right.
func joinNegative(node *kong.Node, args []string) []string {
	takesValue := map[string]bool{}
	valueFlags(node, takesValue)
	var joined []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(joined, args[i:]...)
		}
		if name, ok := strings.CutPrefix(args[i], "--"); ok && takesValue[name] && i+1 < len(args) && isNegative(args[i+1]) {
			joined = append(joined, args[i]+"="+args[i+1])
			i++
			continue
		}
		joined = append(joined, args[i])
	}
	return joined
}

func isNegative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && ('0' <= arg[1] && arg[1] <= '9' || arg[1] == '.')
}

// valueFlags collects the flags of a command and all below it that need a value.
func valueFlags(node *kong.Node, names map[string]bool) {
	for _, f := range node.Flags {
		names[f.Name] = !f.IsBool()
	}
	for _, child := range node.Children {
		valueFlags(child, names)
	}
}

// flagHint returns which flag of the selected command was meant, or which command has the flag.
func flagHint(model, selected *kong.Node, word string) string {
	dashed := func(name string) string { return "--" + name }
	if slices.Contains([]string{"file", "files", "input", "path", "log", "in"}, word) && len(selected.Positional) > 0 {
		return fmt.Sprintf("; write the %s behind the flags, without one", selected.Positional[0].Name)
	}
	if near := nearest(word, commandFlags(selected)); len(near) > 0 {
		return suggest.DidYouMean(near, dashed)
	}
	owners := flagOwners(model)
	for _, name := range append([]string{word}, nearest(word, slices.Collect(maps.Keys(owners)))...) {
		if len(owners[name]) == 0 {
			continue
		}
		commands, last := owners[name], len(owners[name])-1
		if last > 0 {
			commands = []string{strings.Join(commands[:last], ", "), commands[last]}
		}
		where := strings.Join(commands, " and ")
		if selected == model {
			return fmt.Sprintf("; write --%s behind its command, which is %s", name, where)
		}
		return fmt.Sprintf("; --%s is a flag of %s, not of%s", name, where, cli.NameOf(selected))
	}
	return ""
}

// argumentHint returns which command was meant.
func argumentHint(selected *kong.Node, word string) string {
	word = strings.ToLower(word)
	if word == "help" {
		return fmt.Sprintf("; write millrace%s --help", cli.NameOf(selected))
	}
	var names []string
	for _, c := range selected.Children {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	if takes := selected.Positional; len(takes) > 0 {
		return fmt.Sprintf("; %s takes one %s", strings.TrimSpace(cli.NameOf(selected)), takes[0].Name)
	}
	if len(names) == 0 {
		return fmt.Sprintf("; all of%s is flags, which begin with --", cli.NameOf(selected))
	}
	for theirs, ours := range map[string]string{"start": "serve", "run": "serve", "server": "serve", "up": "serve", "rebuild": "replay", "verify": "replay"} {
		if word == theirs && slices.Contains(names, ours) {
			return suggest.DidYouMean([]string{ours}, func(s string) string { return s })
		}
	}
	if near := nearest(word, names); len(near) > 0 {
		return suggest.DidYouMean(near, func(s string) string { return s })
	}
	return "; there are " + strings.Join(names, ", ")
}

// commandFlags are the names of the flags that may stand behind a command: its own and those of
// all.
func commandFlags(node *kong.Node) []string {
	var names []string
	for ; node != nil; node = node.Parent {
		for _, f := range node.Flags {
			names = append(names, f.Name)
			if f.Tag.Negatable != "" {
				names = append(names, "no-"+f.Name)
			}
		}
	}
	return names
}

// flagOwners returns the commands that have a flag, by its name.
func flagOwners(node *kong.Node) map[string][]string {
	owners := map[string][]string{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		if n.Parent != nil && !n.Hidden && cli.NameOf(n) != " check" { // which has those of serve
			for _, f := range n.Flags {
				owners[f.Name] = append(owners[f.Name], strings.TrimSpace(cli.NameOf(n)))
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(node)
	return owners
}
