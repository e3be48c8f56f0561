package statsapi

import (
	"net/http"
	"strings"
	"testing"
)

// TestGoalFilters: a filter by what is no goal of the site is refused, with the goals that there
// are; one by a goal that was reached is answered, whoever counts it.
func TestGoalFilters(t *testing.T) {
	m := &memory{}
	m.shop("a.example", "2024-09-17T10:05:00Z") // reaches Purchase
	goals := map[string][]string{"a.example": {"Sign up", "Visit /thanks", "Sign up"}}
	s := mustServer(t, testOptions{Reader: m, Goals: func(site string) []string { return goals[site] }})
	f := func(site, filter, want string) {
		t.Helper()
		resp := do(s, "POST", PathQuery, `{"site_id":"`+site+`","metrics":["visitors"],"date_range":["2024-09-17","2024-09-17"],"filters":[`+filter+`]}`)
		code := http.StatusOK
		if want != "" {
			code, want = http.StatusBadRequest, `{"error":"Invalid filters: `+want+`."}`
		}
		if resp.StatusCode() != code || want != "" && strings.TrimSpace(string(resp.Body())) != want {
			t.Errorf("%s: %d %s\nwant %d %s", filter, resp.StatusCode(), resp.Body(), code, want)
		}
	}
	const are = ` is not configured for this site, and was not reached in the range; its goals are \"Sign up\", \"Visit /thanks\"`
	f("a.example", `["is","event:goal",["Sign up"]]`, "")
	f("a.example", `["is","event:goal",[" Sign up "]]`, "") // as the engine spells it
	f("a.example", `["is","event:goal",["sign up"],{"case_sensitive":false}]`, "")
	f("a.example", `["is","event:goal",["Purchase"]]`, "") // not configured any more
	f("a.example", `["contains","event:goal",["/th"]],["matches","event:goal",["^S","^P"]]`, "")
	f("a.example", `["is","event:page",["/none"]]`, "")
	f("a.example", `["is","event:goal",["Signup"]]`, `the goal \"Signup\"`+are)
	f("a.example", `["is","event:goal",["Sign up","sign up"]]`, `the goal \"sign up\"`+are)
	f("a.example", `["is_not","event:goal",["Signup"]]`, `the goal \"Signup\"`+are)
	f("a.example", `["or",[["is","event:goal",["Purchase"]],["is","event:goal",["Signup"]]]]`, `the goal \"Signup\"`+are)
	f("a.example", `["contains","event:goal",["Sign","up!"]]`, `a goal whose name contains \"up!\"`+are)
	f("a.example", `["matches","event:goal",["^p"]]`, `a goal whose name matches \"^p\"`+are)
	f("b.example", `["is","event:goal",["Purchase"]]`, `the goal \"Purchase\" is not configured for this site, and was not reached in the range; it has no goals`)
}
