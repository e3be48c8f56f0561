package window

import (
	"strings"
	"testing"
)

// TestLiteral: what a site sends is never taken for what stands for no value or for the rest, and
// no two texts are one value.
func TestLiteral(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Literal(in); got != want {
			t.Errorf("Literal(%q) = %q, want %q", in, got, want)
		}
	}
	f("(none)", "((none))")
	f("((none))", "(((none)))")
	f("(other)", "((other))")
	f("(((other)))", "((((other))))")
	for _, s := range []string{"none", "(none", "none)", "((none)", "(none))", "(None)", "(others)", "()", "(", "(not set)", "(none) x", ""} {
		f(s, s)
	}
	long := strings.Repeat("(", 254) + "none" + strings.Repeat(")", 254)
	f(long, long)
}

// TestLiteralTag: no two texts become one, and none becomes a marker.
func TestLiteralTag(t *testing.T) {
	f := func(in, tag, source string) {
		t.Helper()
		if got := LiteralTag(in); got != tag {
			t.Errorf("tag %q: got %q, want %q", in, got, tag)
		}
		if got := LiteralSource(in); got != source {
			t.Errorf("source %q: got %q, want %q", in, got, source)
		}
	}
	f("(not set)", "((not set))", "((not set))")
	f("((not set))", "(((not set)))", "(((not set)))")
	f("Direct / None", "Direct / None", "(Direct / None)")
	f("(Direct / None)", "(Direct / None)", "((Direct / None))")
	f("((none))", "((none))", "((none))")
	for _, s := range []string{"", "not set", "(not set", "((not set)", "(not set))", "direct / none", "(Direct / None", "(none)", "(", "()"} {
		f(s, s, s)
	}
}
