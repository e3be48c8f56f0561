package kafka

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	f := func(prefix, want string) {
		t.Helper()
		err := Names{Prefix: prefix}.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v; want %q", prefix, err, want)
		}
	}
	for _, good := range []string{"", "staging.", "a-", "team_7_", "eu.staging-2.", strings.Repeat("a", mostPrefix-1) + "."} {
		f(good, "")
	}
	for _, bad := range []string{"staging", ".", "_", ".a.", "__a.", "a b.", "stäging.", "a/", "a:", "a.\n", "STAGING.*"} {
		f(bad, "--topic-prefix: ")
	}
	f(strings.Repeat("a", mostPrefix)+".", "101 characters are more than 100")
	if got := (Names{Prefix: "staging."}).Of("millrace.events"); got != "staging.millrace.events" {
		t.Error(got)
	}
	if got := (Names{}).Of("millrace.events"); got != "millrace.events" {
		t.Error(got)
	}
	if err := (&Cluster{Names: Names{Prefix: "staging."}}).Validate(); err == nil || err.Error() != "--topic-prefix needs --kafka: the embedded broker has no other topics" {
		t.Error(err)
	}
}
