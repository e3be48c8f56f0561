package statsapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"millrace/query"
)

// schemas checks JSON values against the schemas of openapi.json: the keywords that it uses, no
// others.
type schemas struct{ doc map[string]any }

func (s *schemas) find(ref string) any {
	var v any = s.doc
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		v = v.(map[string]any)[part]
	}
	return v
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
	}
	return "number"
}

// check returns what is wrong with v, "" if nothing is.
func (s *schemas) check(schema, v any, at string) string {
	sch := schema.(map[string]any)
	for k, arg := range sch {
		if msg := s.keyword(sch, k, arg, v, at); msg != "" {
			return msg
		}
	}
	return ""
}

func (s *schemas) keyword(sch map[string]any, k string, arg, v any, at string) string {
	wrong := func() string { return fmt.Sprintf("%s: %v is against %s %v", at, v, k, arg) }
	ok := true
	switch k {
	case "description":
	case "$ref":
		return s.check(s.find(arg.(string)), v, at)
	case "type":
		types, isList := arg.([]any)
		if !isList {
			types = []any{arg}
		}
		t := typeOf(v)
		ok = slices.Contains(types, any(t)) || t == "integer" && slices.Contains(types, any("number"))
	case "enum":
		ok = slices.Contains(arg.([]any), v)
	case "pattern":
		ok = regexp.MustCompile(arg.(string)).MatchString(v.(string))
	case "minimum":
		ok = v.(float64) >= arg.(float64)
	case "maximum":
		ok = v.(float64) <= arg.(float64)
	case "minItems":
		l, isList := v.([]any)
		ok = !isList || len(l) >= int(arg.(float64))
	case "maxItems":
		l, isList := v.([]any)
		ok = !isList || len(l) <= int(arg.(float64))
	case "items":
		l, _ := v.([]any)
		for i, x := range l {
			if msg := s.check(arg, x, fmt.Sprintf("%s[%d]", at, i)); msg != "" {
				return msg
			}
		}
	case "anyOf":
		ok = slices.ContainsFunc(arg.([]any), func(sub any) bool { return s.check(sub, v, at) == "" })
	case "required":
		for _, key := range arg.([]any) {
			if _, there := v.(map[string]any)[key.(string)]; !there {
				return fmt.Sprintf("%s: %s is missing", at, key)
			}
		}
	case "properties":
		obj, _ := v.(map[string]any)
		for key, sub := range arg.(map[string]any) {
			if x, there := obj[key]; there {
				if msg := s.check(sub, x, at+"."+key); msg != "" {
					return msg
				}
			}
		}
	case "additionalProperties":
		props := sch["properties"].(map[string]any)
		for key := range v.(map[string]any) {
			if _, known := props[key]; !known {
				return fmt.Sprintf("%s: unknown key %s", at, key)
			}
		}
	default:
		return fmt.Sprintf("%s: the test does not know the keyword %s", at, k)
	}
	if !ok {
		return wrong()
	}
	return ""
}

// TestOpenAPI sends every example of the document and checks query and answer against the schemas.
func TestOpenAPI(t *testing.T) {
	var s schemas
	m := &memory{}
	for i := range 40 {
		m.views("example.com", fmt.Sprintf("2024-09-%02dT%02d:00:00Z", i%18+1, i%12), fmt.Sprint("/", i%13), []string{"EE", "LV", "DE", "FR"}[i%4], []string{"Firefox", "Chrome"}[i%2], i, 5)
	}
	m.shop("example.com", "2024-09-17T10:00:00Z")
	srv := mustServer(t, testOptions{Reader: m})
	if err := json.Unmarshal(do(srv, "GET", PathOpenAPI, "").Body(), &s.doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, ex := range s.find("#/paths").(map[string]any)[PathQuery].(map[string]any)["post"].(map[string]any)["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["examples"].(map[string]any) {
		value := ex.(map[string]any)["value"]
		if msg := s.check(s.find("#/components/schemas/Query"), value, name); msg != "" {
			t.Error(msg)
		}
		body, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		resp := do(srv, "POST", PathQuery, string(body))
		var answer any
		if err := json.Unmarshal(resp.Body(), &answer); err != nil || resp.StatusCode() != 200 {
			t.Fatalf("%s: %d %s", name, resp.StatusCode(), resp.Body())
		}
		if msg := s.check(s.find("#/components/schemas/Answer"), answer, name); msg != "" {
			t.Errorf("answer to %s", msg)
		}
		if results := answer.(map[string]any)["results"].([]any); len(results) == 0 {
			t.Errorf("%s has no rows", name)
		}
		n++
	}
	if n < 10 {
		t.Errorf("%d examples", n)
	}
	var e any
	if err := json.Unmarshal(do(srv, "POST", PathQuery, "{").Body(), &e); err != nil {
		t.Fatal(err)
	}
	if msg := s.check(s.find("#/components/schemas/Error"), e, "error"); msg != "" {
		t.Error(msg)
	}
}

// TestOpenAPINames holds the names in the document and in the code together, and the paths.
func TestOpenAPINames(t *testing.T) {
	var s schemas
	if err := json.Unmarshal(openAPI, &s.doc); err != nil {
		t.Fatal(err)
	}
	f := func(schema string, want []string) {
		t.Helper()
		var got []string
		for _, v := range s.find("#/components/schemas/" + schema).(map[string]any)["enum"].([]any) {
			got = append(got, v.(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", schema, got, want)
		}
	}
	var mets []string
	for _, m := range query.Metrics() {
		mets = append(mets, string(m))
	}
	f("DimensionName", query.DimensionNames())
	f("Metric", mets)
	for path := range s.doc["paths"].(map[string]any) {
		if !Handles(path) {
			t.Errorf("the document has %s, the handler does not", path)
		}
	}
	for _, r := range query.RelativeRanges() {
		if msg := s.check(s.find("#/components/schemas/DateRange"), r, r); msg != "" {
			t.Error(msg)
		}
	}
}
