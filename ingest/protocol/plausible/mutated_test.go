package plausible

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// Bodies that are nearly as most are, with what differs in each place, are read as they are where they
// are read as a whole. MILLRACE_MUTATE is for how long that is tried.
func TestMutated(t *testing.T) {
	took, _ := time.ParseDuration(os.Getenv("MILLRACE_MUTATE"))
	seed := uint64(1)
	if took > 0 {
		seed = uint64(time.Now().UnixNano())
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	blank := func() string { return pick("", "", "", "", "", "", "", " ", "\n", "\t\r") }
	field := func() string {
		if rng.IntN(3) > 0 {
			return pick(`"n":"engagement"`, `"r":"https://b.example/"`, `"r":null`, `"w":1280`, `"v":36`, `"h":1`, `"i":false`, `"e":7`, `"sd":50`, `"id":"x"`, `"id":9`,
				`"p":{"a":"1","b":"2"}`, `"p":{"b":"1","a":"2"}`, `"p":{"a":1,"b":true}`, `"p":"{\"a\":\"b\"}"`, `"m":{"c":"1"}`, `"props":{"d":"1"}`, `"p":null`, `"p":{}`,
				`"$":{"amount":1.5,"currency":"EUR"}`, `"revenue":"{\"amount\":1}"`, `"referrer":" x "`, `"domain":"b.example"`, `"name":" y "`, `"url":"data:x"`)
		}
		return `"` + pick("n", "u", "d", "r", "p", "v", "w", "h", "i", "e", "sd", "m", "$", "id", "url", "meta", "", "x", `\u006e`, `\`, "nn") + `"` + blank() + ":" + blank() +
			pick(`"x"`, `""`, `" "`, `"é"`, `"\u00e9"`, `"\""`, "\"\x7f\"", `1`, `-1.5e3`, `true`, `null`, `{}`, `[]`, `{"a":"1"}`, `{"a":"1","a":"2"}`, `{"":"1"}`,
				`"`+strings.Repeat("y", rng.IntN(200))+`"`, `{"a":"`+strings.Repeat("z", rng.IntN(3000))+`"}`)
	}
	for n, end := 0, time.Now().Add(took); n < 2000 || time.Now().Before(end); n++ {
		fields := []string{`"n":"pageview"`, `"u":"https://a.example/"`, pick(`"d":"a.example"`, `"d":"a.example,b.example"`)}
		for range rng.IntN(5) {
			fields = append(fields, field())
		}
		rng.Shuffle(len(fields), func(i, k int) { fields[i], fields[k] = fields[k], fields[i] })
		text := blank() + "{"
		for i, f := range fields {
			if i > 0 {
				text += ","
			}
			text += blank() + f + blank()
		}
		body := []byte(text + "}" + pick("", "", "\n", "x"))
		for range rng.IntN(4) / 3 {
			body[rng.IntN(len(body))] = "\"\\,:{}[] \x00\xffa"[rng.IntN(12)]
		}
		sameWhole(t, body)
	}
}
