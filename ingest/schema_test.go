//go:build heavy

package ingest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"millrace/engine/event"
)

func mustSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile("../engine/event/schema/events.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("events.v1.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("events.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, value []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// TestRecordsMatchTheSchema checks what the collector really writes, by each protocol, and ticks.
func TestRecordsMatchTheSchema(t *testing.T) {
	schema := mustSchema(t)
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, nil)
	call(c, loopback, "POST", "/v1/events", `[{"site":"a.example","name":"x","url":"https://a.example/\"q\"","referrer":"https://b.example/","language":"de",
		"screen":"1x1","props":{"b":1,"ü":"\u0041"},"revenue":{"amount":-12.34567,"currency":"EUR"},"id":"1","ts":1700000000000,"ip":"8.8.8.8","ua":"u","visitor":"v"},
		{"site":"b.example","name":"y","ts":1772582400000,"interactive":false}]`)
	call(c, outside, "POST", "/api/event", `{"n":"engagement","u":"https://c.example/","sd":5,"w":1280,"$":{"amount":"1","currency":"USD"}}`)
	call(c, "8.8.8.8", "GET", "/v1/pixel.gif?site=d.example&p.a=b", "", "Referer", "https://d.example/")
	c.Close()
	records := readAll(t, cluster)
	if n := len(allEvents(records)); n != 4 {
		t.Fatalf("%d events, want 4", n)
	}
	for _, r := range records {
		if err := validate(schema, r.value); err != nil {
			t.Errorf("%s\n%v", r.value, err)
		}
	}
}

// TestSchemaRefuses: what the schema lets pass and what the decoder reads is the same, as far as the schema is not
// stricter about what only the collector promises.
func TestSchemaRefuses(t *testing.T) {
	schema := mustSchema(t)
	good := `{"v":1,"collector":"c","low":5,"events":[{"id":"1","site":"a","name":"x","ts":1,"received":2,"visitor":"00000000000000ff",` +
		`"screen":"1x1","country":"AT","props":{"a":"b"},"revenue":{"amount":"1.5","currency":"EUR"},"non_interactive":true,"ping":true,"engaged":5,"scroll":0,"hash":true,"later":[1]}],"more":{}}`
	var d event.Decoder
	var env event.Envelope
	if err := validate(schema, []byte(good)); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode([]byte(good), &env); err != nil {
		t.Fatal(err)
	}
	f := func(old, new string, decodes bool) {
		t.Helper()
		bad := strings.Replace(good, old, new, 1)
		if bad == good {
			t.Fatalf("%s is not in the good record", old)
		}
		if err := validate(schema, []byte(bad)); err == nil {
			t.Errorf("the schema accepts %s", bad)
		}
		if err := d.Decode([]byte(bad), &env); (err == nil) != decodes {
			t.Errorf("the decoder says %v of %s", err, bad)
		}
	}
	f(`"v":1`, `"v":2`, false)
	f(`"v":1,`, ``, false)
	f(`"low":5`, `"low":"5"`, false)
	f(`"low":5`, `"low":5.5`, false)
	f(`"low":5,`, ``, false)
	f(`"c"`, `""`, false)
	f(`"events":[`, `"events":[5,`, false)
	f(`"events":[`, `"event":[`, false)
	f(`"site":"a"`, `"site":"A"`, false)
	f(`"site":"a"`, `"site":"a\n"`, false)
	f(`"name":"x",`, ``, false)
	f(`"ts":1`, `"ts":0`, false)
	f(`"ts":1,`, ``, false)
	f(`"props":{"a":"b"}`, `"props":{"a":1}`, false)
	f(`"amount":"1.5"`, `"amount":1.5`, false)
	f(`"amount":"1.5"`, `"amount":"1.5e3"`, false)
	f(`"00000000000000ff"`, `"xyz"`, false)
	f(`"non_interactive":true`, `"non_interactive":1`, false)
	f(`"ping":true`, `"ping":1`, false)
	f(`"engaged":5`, `"engaged":-5`, false)
	f(`"scroll":0`, `"scroll":101`, false)
	f(`"hash":true`, `"hash":"1"`, false)
	f(`"id":"1",`, ``, true)
	f(`"00000000000000ff"`, `"ff"`, true)
	f(`"1x1"`, `"big"`, true)
	f(`"EUR"`, `"euro"`, true)
	f(`"AT"`, `"Austria"`, true)
}
