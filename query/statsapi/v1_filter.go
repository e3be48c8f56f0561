package statsapi

import (
	"regexp"
	"strings"

	"millrace/query"
)

// v1Condition is a property, an operator and values.
var v1Condition = regexp.MustCompile(`(?s)^\s*([a-z_]+:.*?)(==|!=|!~|~)(.*)$`)

// parseFilters reads filters such as visit:browser==Firefox|Chrome;event:page!=/blog/*: conditions that
// all have to hold, of values of which one has to. A backslash takes the next character as it is.
func (r *v1Request) parseFilters(args map[string]string) error {
	text, ok := args["filters"]
	if !ok {
		return nil
	}
	var parts []*query.Filter
	for _, condition := range v1Split(text, ';') {
		f, err := v1Filter(condition)
		if err != nil {
			return err
		}
		parts = append(parts, f)
	}
	r.Filter, r.FilterText = query.And(parts...), query.Show(text)
	return nil
}

func v1Filter(condition string) (*query.Filter, error) {
	m := v1Condition.FindStringSubmatch(condition)
	if m == nil {
		return nil, bad("Invalid filters %s: a condition is a property, ==, !=, ~ or !~, and a value, such as event:page==/blog.", query.Show(condition))
	}
	d, err := query.ParseDimension(m[1])
	if err != nil {
		return nil, bad("Invalid filters %q: %s.", m[1], err)
	}
	if d.IsTime() {
		return nil, bad("Invalid filters %s: the time dimension %q can't be filtered by; period and date do that.", query.Show(condition), d.Name())
	}
	values := v1Split(m[3], '|')
	if len(values) > maxClauses {
		return nil, bad("Invalid filters %s: it has more than %d values.", query.Show(condition), maxClauses)
	}
	op := query.Contains
	if strings.HasSuffix(m[2], "=") {
		op = v1Values(values)
	} else {
		for i, v := range values {
			values[i] = v1Unescape(v)
		}
	}
	f, err := query.NewCondition(op, d, values, false)
	if err != nil {
		return nil, bad("Invalid filters %s: %s", query.Show(condition), sentence(err))
	}
	if strings.HasPrefix(m[2], "!") {
		f = query.Not(f)
	}
	return f, nil
}

// v1Values makes clauses of values, and returns how they compare: with an asterisk in one of them all
// become patterns.
func v1Values(values []string) query.Op {
	wild := false
	for _, v := range values {
		wild = wild || strings.Contains(strings.ReplaceAll(v, `\*`, ""), "*")
	}
	for i, v := range values {
		if !wild {
			values[i] = v1Unescape(v)
			continue
		}
		var pattern strings.Builder
		pattern.WriteString("^")
		for j, piece := range v1Split(v, '*') {
			if j > 0 {
				pattern.WriteString(".*")
			}
			pattern.WriteString(regexp.QuoteMeta(v1Unescape(piece)))
		}
		pattern.WriteString("$")
		values[i] = pattern.String()
	}
	if wild {
		return query.Matches
	}
	return query.Is
}

// v1Split cuts at each separator without a backslash before it, and leaves backslashes.
func v1Split(s string, sep byte) []string {
	var list []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			list = append(list, s[start:i])
			start = i + 1
		}
	}
	return append(list, s[start:])
}

// v1Unescape takes away the backslashes before separators and asterisks; others are as they are.
func v1Unescape(s string) string {
	return strings.NewReplacer(`\|`, "|", `\;`, ";", `\*`, "*", `\\`, `\`).Replace(s)
}
