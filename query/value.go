package query

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"

	"millrace/engine/window"
	"millrace/internal/spelling"
)

var (
	countryCode  = regexp.MustCompile(`^[A-Z]{2}$`)
	regionCode   = regexp.MustCompile(`^[A-Z]{2}-[A-Z0-9]{1,3}$`)
	languageCode = regexp.MustCompile(`^[a-z]{2,3}(-([A-Z]{2}|[0-9]{3}))?$`)
)

// checkValues refuses a condition "is" on a value that no event can have: its answer would be
// nothing, whatever was sent, and look like a site without traffic. Fold: upper and lower case are
// the same.
func checkValues(d *Dimension, values []string, fold bool) error {
	for _, v := range values {
		if meansNone(d, v, fold) || v == window.Other || fold && strings.EqualFold(v, window.Other) {
			continue
		}
		if hint := impossible(d, v, fold); hint != "" {
			return fmt.Errorf("%s can't be %q: %s", d.name, v, hint)
		}
	}
	return nil
}

// impossible returns what would be right where d can't have a value, "" where it can.
func impossible(d *Dimension, v string, fold bool) string {
	switch d.name {
	case "visit:country":
		if hint := noCountry(v, fold); hint != "" {
			return hint
		}
		return mistakenCode(v, fold, countryCode, strings.ToUpper, `a code of ISO 3166-1 such as "DE"; names are values of visit:country_name`, codeOf(v))
	case "visit:region":
		return mistakenCode(v, fold, regionCode, strings.ToUpper, `a code of ISO 3166-2 such as "US-CA"; names are values of visit:region_name`, "")
	case "visit:language":
		return mistakenCode(v, fold, languageCode, languageTag, `a code such as "de" or "pt-BR"`, "")
	case "visit:country_name":
		return mistakenName(v, fold)
	case "event:page", "visit:entry_page", "visit:exit_page":
		if strings.HasPrefix(v, "*") && d.name == "event:page" {
			return "" // a group of pages, see Filter.wild
		}
		return mistakenPath(v)
	case "event:hostname":
		return mistakenHost(v)
	}
	list := window.Closed(d.dim)
	if list == nil || d.IsTime() || slices.Contains(list, v) {
		return ""
	}
	for _, known := range list {
		if strings.EqualFold(known, v) {
			if fold {
				return ""
			}
			return didYouMean(known)
		}
	}
	if len(list) > maxListed {
		return "it is none of its values, which are such as " + strings.Join(list[:3], ", ")
	}
	return "it is one of " + strings.Join(list, ", ")
}

// maxListed is how many values of a dimension a hint lists.
const maxListed = 20

func didYouMean(v string) string { return `did you mean "` + v + `"?` }

// mistakenCode checks a code of a form, which fix may bring about. Better is a code that v is
// another name of.
func mistakenCode(v string, fold bool, form *regexp.Regexp, fix func(string) string, what, better string) string {
	switch fixed := fix(v); {
	case form.MatchString(v), fold && form.MatchString(fixed):
		return ""
	case better != "":
		return didYouMean(better)
	case form.MatchString(fixed):
		return didYouMean(fixed)
	}
	return "it is " + what
}

// noCountry checks codes that look like those of ISO 3166-1 and that the engine stores otherwise.
func noCountry(v string, fold bool) string {
	if fold {
		v = strings.ToUpper(v)
	}
	switch v {
	case "UK":
		return didYouMean("GB")
	case "EL":
		return didYouMean("GR")
	case "XX", "ZZ":
		return "it stands for an unknown country; " + didYouMean(window.None)
	}
	return ""
}

// languageTag writes a language and a region as they are stored.
func languageTag(v string) string {
	primary, region, ok := strings.Cut(strings.ReplaceAll(v, "_", "-"), "-")
	if !ok {
		return strings.ToLower(primary)
	}
	return strings.ToLower(primary) + "-" + strings.ToUpper(region)
}

// mistakenPath checks a page, which is a path: with a fragment, where the site tells pages apart by
// it.
func mistakenPath(v string) string {
	if (strings.HasPrefix(v, "/") || strings.HasPrefix(v, `\`)) && !strings.Contains(v, "?") {
		return ""
	}
	path := v
	if scheme, rest, ok := strings.Cut(v, "://"); ok && !strings.ContainsAny(scheme, "/?#") {
		path = "/"
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			path = rest[i:]
		}
	}
	path, fragment, _ := strings.Cut(path, "#")
	path, _, _ = strings.Cut(path, "?")
	if route, _, _ := strings.Cut(fragment, "?"); strings.HasPrefix(route, "/") || strings.HasPrefix(route, "!") {
		path += "#" + route
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "a page is a path without query; " + didYouMean(path)
}

// mistakenHost checks a host.
func mistakenHost(v string) string {
	if !strings.ContainsAny(v, "/?#") && spelling.ValidHost(spelling.Hostname(v)) {
		return ""
	}
	host := strings.TrimSpace(v)
	if scheme, rest, ok := strings.Cut(host, "://"); ok && !strings.ContainsAny(scheme, "/?#") {
		host = rest
	}
	if i := strings.IndexAny(strings.TrimLeft(host, "/"), "/?#"); i >= 0 {
		host = strings.TrimLeft(host, "/")[:i]
	}
	if host = spelling.Hostname(strings.TrimSpace(strings.TrimLeft(host, "/"))); spelling.ValidHost(host) {
		return "a hostname has neither scheme nor path; " + didYouMean(host)
	}
	return `it is a host such as "example.com"`
}

// countryNames maps the English names of countries, in lower case, to the code and the name.
var countryNames = sync.OnceValue(func() map[string][2]string {
	names := map[string][2]string{}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string(a) + string(b)
			if r, err := language.ParseRegion(code); err != nil || r.String() != code {
				continue // no code of its own: countryName knows it by another
			}
			name := countryName(code)
			names[strings.ToLower(name)] = [2]string{code, name}
		}
	}
	return names
})

// codeOf returns the code of ISO 3166-1 of a country that is given by its English name, its code of
// three letters or in lower case; "" if it is none.
func codeOf(v string) string {
	if known, ok := countryNames()[strings.ToLower(v)]; ok {
		return known[0]
	}
	if r, err := language.ParseRegion(v); err == nil && r.IsCountry() && countryCode.MatchString(r.Canonicalize().String()) {
		return r.Canonicalize().String()
	}
	return ""
}

// mistakenName checks the name of a country.
func mistakenName(v string, fold bool) string {
	known, ok := countryNames()[strings.ToLower(v)]
	switch {
	case ok && (known[1] == v || fold):
		return ""
	case ok:
		return didYouMean(known[1])
	case countryCode.MatchString(v) && countryName(v) == v:
		return "" // a code that has no name is its own
	}
	if code := codeOf(v); code != "" {
		return didYouMean(countryName(code))
	}
	return `it is the English name of a country such as "Germany"; codes are values of visit:country`
}
