package window

import "strings"

// NotSet and DirectNone are what Plausible calls None, in the dimensions of visits and of sources.
// Queries take them for None, so that tags that hold these texts are stored otherwise.
const (
	NotSet     = "(not set)"
	DirectNone = "Direct / None"
)

// Literal returns the value that a text sent by a site is stored as, if it is None or Other in one
// pair of parentheses or more: in one pair more. Clean does not do it, so that what it returns
// passes through it unchanged. So "(none)" is what had no value, and "((none))" an event that sent
// "(none)"; any other text is stored as it is.
func Literal(s string) string {
	if len(s) < len(None) || s[0] != '(' {
		return s
	}
	pairs := 0
	for pairs < len(s)/2 && s[pairs] == '(' && s[len(s)-1-pairs] == ')' {
		pairs++
	}
	if in := s[pairs : len(s)-pairs]; in != None[1:len(None)-1] && in != Other[1:len(Other)-1] || len(s)+2 > MaxValueLen {
		return s
	}
	return "(" + s + ")"
}

// LiteralTag is Literal for what else a query takes for None in the values of tags: NotSet.
func LiteralTag(s string) string { return apart(s, NotSet) }

// LiteralSource is LiteralTag for sources, of which a query takes DirectNone for None, too.
func LiteralSource(s string) string { return apart(apart(s, NotSet), DirectNone) }

// apart puts a text that is a marker, in any number of parentheses, in one pair more.
func apart(s, marker string) string {
	in := s
	for len(in) > len(marker) && in[0] == '(' && strings.HasSuffix(in, ")") {
		in = in[1 : len(in)-1]
	}
	if in != marker || len(s)+2 > MaxValueLen {
		return s
	}
	return "(" + s + ")"
}
